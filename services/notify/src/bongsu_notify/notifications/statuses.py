"""The state machine of a notification: every change of status is a line of this table."""

from collections.abc import Mapping
from typing import Final

from bongsu.contracts.notifications import Status

NEXT: Final[Mapping[Status, frozenset[Status]]] = {
    "accepted": frozenset({"sending", "cancelled", "expired", "failed", "suppressed"}),
    "queued": frozenset({"sending", "cancelled", "expired", "failed", "suppressed"}),
    "retry_wait": frozenset(
        {"sending", "cancelled", "expired", "failed", "suppressed", "sent", "delivered", "bounced", "complained"}
    ),
    "sending": frozenset({"sending", "sent", "delivered", "bounced", "complained", "retry_wait", "unknown", "failed"}),
    "unknown": frozenset({"sending", "sent", "delivered", "bounced", "complained", "failed", "cancelled"}),
    "sent": frozenset({"delivered", "bounced", "complained", "failed"}),
    "delivered": frozenset({"bounced", "complained"}),
    "bounced": frozenset({"complained"}),
    "complained": frozenset(),
    "failed": frozenset({"queued"}),
    "expired": frozenset({"queued"}),
    "suppressed": frozenset(),
    "cancelled": frozenset({"accepted"}),
}
"""The statuses that may follow each status. `sending` follows itself when a lease ended and another worker claims.

The provider's events about an earlier attempt, whose outcome was unknown, end `retry_wait` as they end `unknown`.
"""

CLAIMABLE: Final[frozenset[Status]] = frozenset({"accepted", "queued", "retry_wait"})
"""A worker may claim them, once their time has come."""


def sources(status: Status) -> list[Status]:
    """The statuses from which a notification may take on `status`: the condition of its compare-and-set."""
    return sorted(one for one, following in NEXT.items() if status in following)
