"""The filters of the list, as its address holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bongsu.contracts.notifications import NotificationCounts, Status
from bongsu_dashboard.notifications.notification import STATUSES
from bongsu_dashboard.notifications.port import NotificationQuery
from bongsu_dashboard.pages.addresses import with_parameters
from bongsu_dashboard.pages.days import end_of, parse_day, parse_days, parse_zone, start_of

LIST: Final = "/notifications"
SCHEDULED: Final = "scheduled"
GROUPS: Final[dict[str, tuple[Status, ...]]] = {
    "waiting": ("accepted", "queued", "sending", "retry_wait", "unknown"),
    SCHEDULED: ("accepted",),
    "done": ("sent", "delivered"),
    "undelivered": ("failed", "bounced", "complained", "expired"),
    "stopped": ("suppressed", "cancelled"),
}
"""The groups of statuses. An accepted notification is `scheduled` until its send time, then `waiting`."""
LAST_DAY: Final = "24h"
WINDOW: Final = timedelta(hours=24)
"""What the figures of the first page count."""
CHANNELS: Final = ("email", "discord", "kakao")
MAX_SEARCH: Final = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list shows. Each part is empty where it does not filter.

    :param status: a group or a status.
    :param since: the first day.
    :param until: the last day.
    :param zone: the time zone of the days; UTC where it is not known.
    :param period: in place of the days: `24h` is what the figures of the first page count.
    """

    status: str = ""
    q: str = ""
    channel: str = ""
    since: str = ""
    until: str = ""
    zone: str = ""
    period: str = ""

    @classmethod
    def parse(cls, address: Mapping[str, str]) -> "Filters":
        """Read the parameters of an address. What is malformed does not filter."""
        status, channel = address.get("status", ""), address.get("channel", "")
        since, until, zone = parse_days(address)
        return cls(
            status=status if status in GROUPS or status in STATUSES else "",
            q=" ".join(address.get("q", "").split())[:MAX_SEARCH],
            channel=channel if channel in CHANNELS else "",
            since=since,
            until=until,
            zone=zone,
            period=LAST_DAY if address.get("period") == LAST_DAY and not (since or until) else "",
        )

    @property
    def group(self) -> str:
        """The group that is shown, or that the status belongs to; empty for every status."""
        if self.status in GROUPS:
            return self.status
        return next((name for name, statuses in GROUPS.items() if self.status in statuses), "")

    @property
    def is_empty(self) -> bool:
        return self == Filters()

    @property
    def is_counted(self) -> bool:
        """Whether the counts of the groups are those of this list: they know the days only."""
        return not (self.q or self.channel)

    @property
    def query(self) -> NotificationQuery:
        """The query for notify."""
        zone = parse_zone(self.zone)
        return NotificationQuery(
            statuses=GROUPS.get(self.status) or tuple(status for status in STATUSES if status == self.status),
            scheduled={SCHEDULED: True, "waiting": False, "accepted": False}.get(self.status),
            channel=self.channel or None,
            search=self.q or None,
            since=datetime.now(UTC) - WINDOW if self.period else start_of(parse_day(self.since), zone),
            until=end_of(parse_day(self.until), zone),
        )

    @property
    def without_period(self) -> "Filters":
        return replace(self, period="")

    def address(self, path: str = LIST, *, status: str | None = None, **others: object) -> str:
        """Return the address of this list, or of something about it, with another status and more parameters."""
        filters = self if status is None else replace(self, status=status)
        values = {name: getattr(filters, name) for name in Filters.__slots__} | others
        return with_parameters(path, values)

    def count(self, counts: NotificationCounts, name: str) -> tuple[int, bool]:
        """Return how many notifications a group or status has, and whether there may be more."""
        if name == SCHEDULED:
            return counts.scheduled, counts.scheduled >= counts.limit
        statuses = GROUPS.get(name) or (name,)
        numbers = [counts.counts.get(status, 0) for status in STATUSES if status in statuses]
        total = sum(numbers) - (counts.scheduled if "accepted" in statuses else 0)
        return total, any(number >= counts.limit for number in numbers)
