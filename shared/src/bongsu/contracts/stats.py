"""Counts of notifications, as notify's API answers with them."""

from bongsu.contracts.notifications import Instant, Status
from bongsu.contracts.wire import Wire


class Bucket(Wire):
    """The notifications that were accepted in a period, by the status that they have now."""

    start: Instant
    end: Instant
    total: int
    statuses: dict[Status, int]


class Stats(Wire):
    """Buckets, oldest first. The last one may be shorter."""

    items: list[Bucket]
    next: None = None
