"""Where a notification can stand, and what was promised about it."""

from typing import Final, Literal

Status = Literal[
    "accepted",
    "queued",
    "sending",
    "sent",
    "delivered",
    "bounced",
    "complained",
    "retry_wait",
    "unknown",
    "failed",
    "suppressed",
    "cancelled",
    "expired",
]
Guarantee = Literal["at-least-once", "at-most-once"]

FINAL: Final[frozenset[Status]] = frozenset(
    {"delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"}
)
"""Nothing changes any more; `sent` joins them where the provider tells nothing further."""

WAITING: Final[frozenset[Status]] = frozenset({"accepted", "queued", "retry_wait"})
"""Not with a provider: may be sent, or cancelled."""
