"""`/healthz`, `/readyz` and `/metrics` of the one-process mode, for all services together."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette

from bongsu.runtime.health import create_health_app
from bongsu.runtime.metrics import Metrics


class AllMetrics(Metrics):
    """The metrics of several services in one document: they have the same names and differ by the service label."""

    def __init__(self, parts: Sequence[Starlette]) -> None:
        super().__init__("operations")
        self._combined = CollectorRegistry()
        self._combined.register(_Combined([self.registry, *(part.state.metrics.registry for part in parts)]))

    def render(self) -> bytes:
        """Every service's registry in the Prometheus text format."""
        return generate_latest(self._combined)


class _Combined(Collector):
    def __init__(self, registries: Sequence[CollectorRegistry]) -> None:
        self._registries = registries

    def describe(self) -> list[Metric]:
        """Describe nothing: the registries grow."""
        return []

    def collect(self) -> list[Metric]:
        """Yield each metric once, with the samples of every registry."""
        merged: dict[str, Metric] = {}
        for registry in self._registries:
            for metric in registry.collect():
                if metric.name in merged:
                    merged[metric.name].samples.extend(metric.samples)
                else:
                    merged[metric.name] = metric
        return [*merged.values()]


def create_operations(parts: Sequence[Starlette]) -> Starlette:
    """Create the app that answers for the whole process."""
    return create_health_app(metrics=AllMetrics(parts))
