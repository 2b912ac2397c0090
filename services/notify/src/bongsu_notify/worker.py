"""The worker: consumes jobs and wake-ups, and sends. Its HTTP side answers for its health only."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from bongsu.broker import Broker, Consumer, QueueSpec
from bongsu.contracts.queues import ALL_QUEUES, DELIVER, NOTIFY_JOBS, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.http import create_api
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.port import Channel
from bongsu_notify.channels.ses import SesChannel
from bongsu_notify.channels.simulated import SimulatedChannel
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.rendering import Renderer
from bongsu_notify.holding import Holding
from bongsu_notify.notifications.handlers import JobHandler
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)

HANDLERS: Mapping[Priority, int] = {"high": 2, "normal": 2, "bulk": 1}
"""Batches of a lane that a worker handles side by side: a slow bulk lane never holds up a one-time code."""


@asynccontextmanager
async def consuming(  # noqa: PLR0913 - each is something that is given to the whole process
    *,
    database: Database,
    broker: Broker,
    vault: Vault,
    settings: NotifySettings,
    stop: StopSignal,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[None]:
    """Consume for as long as the context is open; then finish what runs and give the rest back.

    :param registry: where its metrics go.
    """
    holding = Holding(stop, registry)
    channels: dict[str, Channel] = {"email": SesChannel(settings), "simulated": SimulatedChannel()}
    handler = DeliveryHandler(
        database=database,
        channels=channels,
        renderer=Renderer(vault=vault, sender=settings.sender),
        settings=settings,
        stop=stop,
        holding=holding,
    )
    async with AsyncExitStack() as stack:
        for channel in channels.values():
            await channel.open()
            stack.push_async_callback(channel.close)
        await broker.declare(*(QueueSpec(name) for name in ALL_QUEUES))
        consumers = [await broker.consume(NOTIFY_JOBS, JobHandler(database, stop, holding), prefetch=16)]
        for priority, queue in DELIVER.items():
            lane = await broker.consume(
                queue,
                handler,
                prefetch=settings.batch * HANDLERS[priority],
                batch_max=settings.batch,
                concurrency=HANDLERS[priority],
            )
            consumers.append(lane)
        # All at once: a lane that takes its time to drain must not leave the others claiming more.
        stack.push_async_callback(_cancel_all, consumers)
        log.info("worker.started", batch=settings.batch, concurrency=settings.concurrency)
        yield
    log.info("worker.stopped")


async def _cancel_all(consumers: Sequence[Consumer]) -> None:
    await asyncio.gather(*(consumer.cancel() for consumer in consumers))


def create_worker(
    *, database: Database, broker: Broker, vault: Vault, settings: NotifySettings, stop: StopSignal
) -> FastAPI:
    """The worker as a process of its own: it consumes while the app's lifespan is open."""

    metrics = Metrics("notify-worker")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with consuming(
            database=database, broker=broker, vault=vault, settings=settings, stop=stop, registry=metrics.registry
        ):
            yield

    return create_api(title="Bongsu notify worker", version="1", prefix=None, metrics=metrics, lifespan=lifespan)
