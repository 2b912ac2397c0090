"""When a shard may connect and IDENTIFY by its own history: with exponential back-off.

`IdentifyBudget` spaces the IDENTIFYs of all shards. This back-off holds also where sessions begin and end in a row, and
while the database is unavailable.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from discord.backoff import ExponentialBackoff

STARTS_KEPT: Final = 5
"""The day's session starts that stay unused: Discord resets the token of a bot that uses them all."""
LONGEST_SLEEP_S: Final = 50.0
"""py-cord 2.8.1 cancels a reconnect after 60 s, and with it whatever waits in `before_identify_hook`."""
FIRST_PAUSE_S: Final = 1.0
"""The pause before the second IDENTIFY or RESUME in a row."""
CLAIM_S: Final = 2.0
"""How long a claim of an IDENTIFY stands that a shard makes before it connects."""
LONGEST_PAUSE_S: Final = 300.0
STABLE_S: Final = 60.0
"""A session that lasts for longer ends the count of IDENTIFYs."""
OUTAGE_IDENTIFIES: Final = 20
"""More than an outage of ten minutes takes. A longer one must not use up the day's logins."""
OUTAGE_PAUSE_S: Final = 47.0
"""The longest pause before that: a shard is back within a minute of the outage's end."""
LONGEST_RECONNECT_S: Final = 45.0
"""The longest pause between two attempts to reach the gateway, which use up no login."""


class IdentifyPostponed(Exception):
    """The next IDENTIFY has to wait for `delay_s`, longer than py-cord lets a reconnect wait."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"the next IDENTIFY is possible in {delay_s:.0f} s")
        self.delay_s = delay_s


@dataclass(frozen=True, slots=True)
class _Attempts:
    """The IDENTIFYs of a shard since its last stable session."""

    count: int
    not_before: float


class IdentifyBackoff:
    """Spaces the IDENTIFYs of each shard, or its RESUMEs.

    That of the IDENTIFYs belongs to the process and outlives its bots.

    The pause doubles with each IDENTIFY from `base_s` to `OUTAGE_PAUSE_S`, and after `OUTAGE_IDENTIFIES` to `max_s`. It
    is `base_s` again once a session has lasted for `stable_s`.

    :param count: called for each IDENTIFY.
    :param max_s: no pause is longer.
    """

    def __init__(
        self,
        count: Callable[[], None] = lambda: None,
        *,
        base_s: float = FIRST_PAUSE_S,
        max_s: float = LONGEST_PAUSE_S,
        stable_s: float = STABLE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._base_s = base_s
        self._max_s = max_s
        self._stable_s = stable_s
        self._now = now
        self._attempts: dict[int, _Attempts] = {}

    def delay_s(self, shard: int) -> float:
        """Return how long the shard has to wait for its next IDENTIFY."""
        attempts = self._attempts.get(shard)
        return max(0.0, attempts.not_before - self._now()) if attempts is not None else 0.0

    def record(self, shard: int) -> None:
        """Record that the shard sends an IDENTIFY now."""
        now = self._now()
        before = self._attempts.get(shard)
        is_stable = before is not None and now > before.not_before + self._stable_s
        # Bounded, because a power of a large count does not fit into a float.
        count = 1 if before is None or is_stable else min(before.count + 1, 2 * OUTAGE_IDENTIFIES)
        pause_s = min(self._base_s * 2 ** (count - 1), OUTAGE_PAUSE_S, self._max_s)
        if count >= OUTAGE_IDENTIFIES:
            pause_s = min(OUTAGE_PAUSE_S * 2 ** (count - OUTAGE_IDENTIFIES + 1), self._max_s)
        pause_s *= random.uniform(0.97, 1.03)  # noqa: S311 - no secret
        self._attempts[shard] = _Attempts(count, not_before=now + pause_s)
        self._count()


class ReconnectBackoff(ExponentialBackoff[Literal[False]]):
    """Spaces the attempts of one shard to reach the gateway. py-cord's own pause grows to 17 minutes."""

    def delay(self) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        longest_s = random.uniform(0.5, 1) * LONGEST_RECONNECT_S  # noqa: S311 - no secret
        return min(super().delay(), longest_s)
