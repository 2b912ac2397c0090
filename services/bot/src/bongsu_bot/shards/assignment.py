"""The assignment of shards to the bot's processes."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """The number of the bot's shards, those that this process runs, and whether one of those is connected."""

    total: int
    own: frozenset[int]
    is_connected: Callable[[int], bool]
