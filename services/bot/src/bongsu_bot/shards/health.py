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

    def __init__(self, shards: tuple[int, ...], read: Callable[[int], ShardState]) -> None:
        self._read = read
        now = datetime.now(UTC)
        self._states: dict[int, tuple[ShardState, datetime]] = {shard: (read(shard), now) for shard in shards}

    def observe(self) -> None:
        """Record what has changed. Called at each event that may have changed a state."""
        for shard, (before, _) in self._states.items():
            state = self._read(shard)
            if state != before:
                self._states[shard] = state, datetime.now(UTC)

    def get(self, shard: int, latency_s: float | None = None) -> ShardHealth:
        """Return the health of a shard of this process."""
        self.observe()
        return ShardHealth(*self._states[shard], latency_s)
