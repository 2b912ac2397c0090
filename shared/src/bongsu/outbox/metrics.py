"""The metrics of the outbox."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RelayMetrics:
    """The metrics of a relay. The gauges cover the whole table, so every relay shows the same values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pending = Gauge(
            "outbox_pending_messages", "Messages that are due and not published", ("lane",), registry=registry
        )
        self.oldest_age_s = Gauge(
            "outbox_oldest_pending_age_seconds",
            "How long the oldest of them has been due",
            ("lane",),
            registry=registry,
        )
        self.published = Counter("outbox_published_total", "Messages confirmed", ("queue",), registry=registry)
        self.stranded = Counter(
            "outbox_stranded_total", "Messages published again because they were lost", ("queue",), registry=registry
        )
        self.refused = Counter(
            "outbox_refused_total", "Attempts to publish that failed", ("queue", "reason"), registry=registry
        )
