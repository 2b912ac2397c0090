"""When a request is sent again."""

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

BUSY_STATUSES = frozenset({429, 503})
"""The API did not process the request, or undid it."""
GATEWAY_STATUSES = frozenset({502, 504})
"""A gateway does not know whether the API processed the request."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Sends a request again where that is safe: after a lost connection, and where the API or a gateway is busy.

    The pause is the one that `Retry-After` asks for, else it doubles each time, with jitter.

    :param attempts: at most so many, with the first.
    :param first_pause_s: the longest first pause.
    :param max_pause_s: the longest pause; an error whose `Retry-After` is longer is raised.
    """

    attempts: int = 4
    first_pause_s: float = 0.5
    max_pause_s: float = 20.0

    def pause_s(
        self, outcome: httpx.Response | httpx.TransportError, attempt: int, *, is_repeatable: bool
    ) -> float | None:
        """Return how long to wait before the next attempt, or None to stop.

        :param attempt: the number of the attempt that had this outcome, from 1.
        :param is_repeatable: whether processing the request twice has the effect of once.
        """
        if attempt >= self.attempts or not _may_repeat(outcome, is_repeatable=is_repeatable):
            return None
        wanted_s = _retry_after_s(outcome)
        if wanted_s is not None:
            return wanted_s if wanted_s <= self.max_pause_s else None
        longest_s = min(self.first_pause_s * 2 ** (attempt - 1), self.max_pause_s)
        return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - jitter is no secret


def _may_repeat(outcome: httpx.Response | httpx.TransportError, *, is_repeatable: bool) -> bool:
    if isinstance(outcome, httpx.TransportError):
        never_sent = isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        return never_sent or (is_repeatable and not isinstance(outcome, httpx.UnsupportedProtocol))
    if outcome.status_code == 429:
        return True
    return is_repeatable and outcome.status_code in BUSY_STATUSES | GATEWAY_STATUSES


def _retry_after_s(outcome: httpx.Response | httpx.TransportError) -> float | None:
    """Return the pause of a Retry-After field, in seconds or as a date; None where it is absent or malformed."""
    text = outcome.headers.get("Retry-After", "").strip() if isinstance(outcome, httpx.Response) else ""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
