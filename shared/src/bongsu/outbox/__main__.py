"""`python -m bongsu.outbox`: the relay as a process of its own, with its health and metrics on a port."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from socket import socket

from fastapi import FastAPI

from bongsu.broker import Broker, BrokerError, QueueSpec
from bongsu.broker import opening as brokers
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.mixins import Database
from bongsu.outbox import MIGRATIONS
from bongsu.outbox.relay import Relay
from bongsu.runtime import database as databases
from bongsu.runtime.errors import StartError
from bongsu.runtime.http import add_health, create_api
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.migrations import require_current
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal

DOTENV = Path(".env")
REQUIRED = ("MYSQL_HOST", "AMQP_URL")


async def relay(stop: StopSignal) -> None:
    """Relay until told to stop.

    :raises StartError: settings, port, database, broker or queues are not as they must be.
    """
    (platform,) = load(PlatformSettings, dotenv=DOTENV, required=REQUIRED)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    with closing(listen(platform.host, platform.port)) as sock:
        await _relay_on(sock, platform, stop)


async def _relay_on(sock: socket, platform: PlatformSettings, stop: StopSignal) -> None:
    async with (
        databases.opened(databases.database_url(platform), slow_ms=platform.slow_query_ms) as database,
        brokers.opened(platform, stop=stop) as broker,
    ):
        await require_current(database.engine, [MIGRATIONS])
        queues = [QueueSpec(name) for name in ALL_QUEUES]
        try:
            await broker.declare(*queues)
        except BrokerError as error:
            raise StartError(str(error)) from error
        await serve(create_relay(database=database, broker=broker, queues=queues), sock, stop)


def create_relay(*, database: Database, broker: Broker, queues: list[QueueSpec]) -> FastAPI:
    """The relay's HTTP side; it relays while the app's lifespan is open."""
    metrics = Metrics("relay")
    relay = Relay(database, broker, queues=queues, registry=metrics.registry)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with relay.running():
            yield

    app = create_api(title="Bongsu relay", version="1", prefix=None, metrics=metrics, lifespan=lifespan)

    async def broker_answers() -> bool:
        return broker.connected

    async def database_answers() -> bool:
        await database.ping()
        return True

    add_health(app, required={"database": database_answers}, reported={"broker": broker_answers})
    return app


if __name__ == "__main__":
    sys.exit(run(relay))
