"""What the notifications come to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bongsu_dashboard.notifications.notification import MOVING, Page

WINDOW: Final = timedelta(hours=24)
LOOKED_AT: Final = 200
"""So many of the newest notifications are counted, which is what one call gives."""

_SENT: Final = frozenset({"sent", "delivered"})
_FAILED: Final = frozenset({"failed", "bounced", "complained", "expired"})


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of the last 24 hours, among the newest notifications; `is_partial` where there were more of them."""

    sent: int
    failed: int
    waiting: int
    oldest_waiting: datetime | None
    is_partial: bool
    is_empty: bool

    @property
    def success_percent(self) -> float | None:
        """Of those that ended: the share that was sent."""
        ended = self.sent + self.failed
        return round(100 * self.sent / ended, 1) if ended else None


def summarise(page: Page, now: datetime) -> Summary:
    """Count a page of the newest notifications."""
    recent = [item for item in page.items if item.created_at >= now - WINDOW]
    waiting = [item for item in page.items if item.status in MOVING]
    return Summary(
        sent=sum(item.status in _SENT for item in recent),
        failed=sum(item.status in _FAILED for item in recent),
        waiting=len(waiting),
        oldest_waiting=min((item.created_at for item in waiting), default=None),
        is_partial=page.next is not None and len(recent) == len(page.items),
        is_empty=not page.items,
    )
