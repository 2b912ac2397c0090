"""The assignment of shards to the bot's processes."""

from collections.abc import Callable
from dataclasses import dataclass

from bongsu_bot.shards.health import ShardHealth


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """The number of the bot's shards, those that this process runs, and the health of each of those."""

    total: int
    own: frozenset[int]
    health: Callable[[int], ShardHealth]
