"""The worker: consumes jobs and wake-ups, and sends. It serves HTTP for health and metrics only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from bongsu.broker import Broker, Consumer, QueueSpec
from bongsu.contracts.queues import DELIVER_QUEUES, NOTIFY_JOBS, NOTIFY_QUEUES, USERS_CHANGED, USERS_DELETED
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.process.readiness import Check
from bongsu.runtime.health import create_health_app
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.stop import StopSignal
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.changed_users.handlers import UserChangeHandler
from bongsu_notify.changed_users.service import ChangedUsers
from bongsu_notify.channels.port import Provider
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.channels.simulated import SimulatedProvider
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.deleted_users.handlers import UserDeletedHandler
from bongsu_notify.deleted_users.service import DeletedUsers
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.service import Deliveries
from bongsu_notify.notifications.handlers import JobHandler
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)


@asynccontextmanager
async def consume(  # noqa: PLR0913 - the collaborators of the process
    *,
    database: Database,
    broker: Broker,
    vault: Vault,
    settings: NotifySettings,
    stop: StopSignal,
    auth: httpx.AsyncClient | None = None,
    registry: CollectorRegistry | None = None,
    report: Callable[[str, Check], None] | None = None,
) -> AsyncIterator[None]:
    """Consume while the context is open; then finish what runs and requeue the rest.

    :param auth: a client of auth, for the tokens of linked accounts; the caller closes it.
    :param registry: for the worker's metrics.
    :param report: shows in `/readyz` whether each provider is ready.
    """
    database_retry = DatabaseRetry(stop, registry)
    auth_client = AuthClient(auth, ServiceCredentials(vault)) if auth is not None else None
    channels = create_channels(settings, broker, auth_client)
    providers: dict[str, Provider[Any]] = {name: channel.create_provider() for name, channel in channels.items()}
    handler = DeliveryHandler(
        database=database,
        deliveries=Deliveries(lease_s=settings.lease_s, max_attempts=settings.max_attempts),
        channels=channels,
        providers=providers | {"simulated": SimulatedProvider()},
        vault=vault,
        stop=stop,
        database_retry=database_retry,
        slots=settings.concurrency,
        rate_factor=settings.ses_rate_factor,
        batch=settings.batch,
    )
    notifications = Notifications(database, channels, everyone_is_live=settings.sandbox)
    jobs = JobHandler(database, notifications, database_retry)
    deletions = UserDeletedHandler(database, vault, DeletedUsers(database), database_retry)
    changes = UserChangeHandler(database, ChangedUsers(database, notifications, vault), database_retry)
    async with AsyncExitStack() as stack:
        for name, provider in providers.items():
            # First: `open` may fail, or be cancelled, when it has connected.
            stack.push_async_callback(provider.close)
            await provider.open()
            if report is not None:
                report(name, provider.is_ready)
        await broker.declare(*(QueueSpec(name) for name in NOTIFY_QUEUES))
        consumers = [
            await broker.consume(NOTIFY_JOBS, jobs, prefetch=16),
            await broker.consume(USERS_DELETED, deletions, prefetch=1),
            await broker.consume(USERS_CHANGED, changes, prefetch=1),
        ]
        for queue in DELIVER_QUEUES:
            # One at a time: the wake-ups that arrive while some are read share the next reading.
            lane = await broker.consume(
                queue,
                handler,
                prefetch=2 * settings.concurrency,
                batch_max=2 * settings.concurrency,
                batch_wait_s=0,
                concurrency=1,
            )
            consumers.append(lane)
        # Concurrently, so that no lane claims more while a slow one drains.
        stack.push_async_callback(_cancel_all, consumers)
        # First, so that the outcomes of the calls that run are recorded and acknowledged.
        stack.push_async_callback(handler.close)
        log.info("worker.started", batch=settings.batch, concurrency=settings.concurrency)
        yield
    log.info("worker.stopped")


async def _cancel_all(consumers: Sequence[Consumer]) -> None:
    await asyncio.gather(*(consumer.cancel() for consumer in consumers))


def create_worker(  # noqa: PLR0913 - the collaborators of the process
    *,
    database: Database,
    broker: Broker,
    vault: Vault,
    settings: NotifySettings,
    stop: StopSignal,
    auth: httpx.AsyncClient | None = None,
    report: Callable[[str, Check], None] | None = None,
) -> Starlette:
    """Build the worker as a process of its own: it consumes while the app's lifespan is open."""
    metrics = Metrics("notify-worker")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with consume(
            database=database,
            broker=broker,
            vault=vault,
            settings=settings,
            stop=stop,
            auth=auth,
            registry=metrics.registry,
            report=report,
        ):
            yield

    return create_health_app(metrics=metrics, lifespan=lifespan)
