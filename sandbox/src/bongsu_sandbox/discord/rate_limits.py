"""Discord's rate limits: buckets of a route, reported in headers."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

MESSAGES = "POST /channels/{channel_id}/messages"


class Limits(BaseModel):
    """Limits in requests per period."""

    model_config = ConfigDict(extra="forbid")

    messages: int = Field(default=5, ge=1, description="Messages to one channel …")
    messages_per_s: float = Field(default=5.0, gt=0, description="… in so many seconds")
    others: int = Field(default=50, ge=1, description="Requests to any other route …")
    others_per_s: float = Field(default=1.0, gt=0, description="… in so many seconds")
    total: int = Field(default=50, ge=1, description="Requests of one token to all routes …")
    total_per_s: float = Field(default=1.0, gt=0, description="… in so many seconds")


@dataclass(frozen=True)
class Standing:
    """The state of a bucket after a request; `refused`: it was empty."""

    headers: dict[str, str]
    reset_after_s: float
    refused: bool


class RateLimits:
    """Counts the requests of each bucket."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        self.limits = Limits()

    def take_global(self, token: str) -> float | None:
        """Count a request of a token in the limit of all routes. Returns the time to wait, in s; None if admitted."""
        now = self._clock()
        until, used = self._windows.get(("", token), (now, 0))
        if until <= now:
            until, used = now + self.limits.total_per_s, 0
        if used >= self.limits.total:
            return until - now
        self._windows["", token] = (until, used + 1)
        return None

    def take(self, route: str, major: str) -> Standing:
        """Count a request to a route; `major` is the parameter with limits of its own: channel, guild or token."""
        limits = self.limits
        limit, per_s = (
            (limits.messages, limits.messages_per_s) if route == MESSAGES else (limits.others, limits.others_per_s)
        )
        now = self._clock()
        until, used = self._windows.get((route, major), (now, 0))
        if until <= now:
            until, used = now + per_s, 0
        refused = used >= limit
        used = min(limit, used + 1)
        self._windows[route, major] = (until, used)
        if len(self._windows) > 10_000:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now}
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - used),
            "X-RateLimit-Reset": f"{until:.3f}",
            "X-RateLimit-Reset-After": f"{until - now:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
        }
        return Standing(headers, until - now, refused)
