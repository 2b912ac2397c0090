"""The assignment of shards to the bot's processes."""

from collections.abc import Callable
from dataclasses import dataclass

from bongsu_bot.shards.health import ShardHealth
from bongsu_bot.shards.leases import ShardLeases


@dataclass(frozen=True, slots=True)
class ShardAssignment:
    """The bot's shards, those that this process runs now, and the health of each of those."""

    leases: ShardLeases
    health: Callable[[int], ShardHealth]

    @property
    def total(self) -> int:
        """The number of shards, over all processes."""
        return self.leases.total

    @property
    def own(self) -> frozenset[int]:
        """The shards of this process."""
        return self.leases.own
