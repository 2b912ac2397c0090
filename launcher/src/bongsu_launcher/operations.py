"""`/healthz`, `/readyz` and `/metrics` of the one-process mode, for all services together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from bongsu.broker import Broker
from bongsu.mixins import Database
from bongsu.runtime.http import add_health, create_api
from bongsu.runtime.metrics import Metrics


class AllMetrics(Metrics):
    """What several services measured, as one: their metrics have the same names and differ by the service label."""

    def __init__(self, parts: Sequence[FastAPI]) -> None:
        super().__init__("operations")
        self._combined = CollectorRegistry()
        self._combined.register(_Combined([self.registry, *(part.state.metrics.registry for part in parts)]))

    def render(self) -> bytes:
        """Every service's registry in the text format that Prometheus reads."""
        return generate_latest(self._combined)


class _Combined(Collector):
    def __init__(self, registries: Sequence[CollectorRegistry]) -> None:
        self._registries = registries

    def describe(self) -> list[Metric]:
        """Nothing beforehand: what the registries hold grows."""
        return []

    def collect(self) -> list[Metric]:
        """Each metric once, with the samples of every registry."""
        merged: dict[str, Metric] = {}
        for registry in self._registries:
            for metric in registry.collect():
                if metric.name in merged:
                    merged[metric.name].samples.extend(metric.samples)
                else:
                    merged[metric.name] = metric
        return [*merged.values()]


def create_operations(parts: Sequence[FastAPI], *, database: Database, broker: Broker) -> FastAPI:
    """The health of the whole process."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    metrics = AllMetrics(parts)
    app = create_api(title="Bongsu", version="1", prefix=None, metrics=metrics, lifespan=lifespan)

    async def database_answers() -> bool:
        await database.ping()
        return True

    async def broker_answers() -> bool:
        return broker.connected

    add_health(app, required={"database": database_answers}, reported={"broker": broker_answers})
    return app
