"""The health of this process's shards: the one source for `/readyz`, the metrics and the RPC methods."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bongsu.contracts.rpc import ShardState


@dataclass(frozen=True, slots=True)
class ShardHealth:
    """The state of a shard, and since when. `latency_s` is the gateway's, once it has been measured."""

    state: ShardState
    since: datetime
    latency_s: float | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the shard receives events."""
        return self.state == "connected"


class HealthLog:
    """Remembers since when each shard has been in its state. `read` returns the state now."""

    def __init__(self, read: Callable[[int], ShardState]) -> None:
        self._read = read
        self._states: dict[int, tuple[ShardState, datetime]] = {}

    def observe(self) -> None:
        """Record what has changed. Called at each event that may have changed a state."""
        for shard in self._states:
            self._observe(shard)

    def get(self, shard: int, latency_s: float | None = None) -> ShardHealth:
        """Return the health of a shard of this process."""
        return ShardHealth(*self._observe(shard), latency_s)

    def _observe(self, shard: int) -> tuple[ShardState, datetime]:
        state, before = self._read(shard), self._states.get(shard)
        if before is None or before[0] != state:
            before = self._states[shard] = state, datetime.now(UTC)
        return before
