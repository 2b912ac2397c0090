"""`bongsu up`: every service in one process, on the in-memory broker, and on SQLite unless given another database."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette

from bongsu import outbox
from bongsu.broker import Broker, QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu.process.broker import report_broker
from bongsu.process.database import open_database
from bongsu.process.identity import open_identity, read_vault, require_vault_opens
from bongsu.process.lifecycle import Process, open_process
from bongsu.process.server import Main
from bongsu.runtime import migrations
from bongsu.runtime.database import as_start_error
from bongsu.runtime.logging import get_logger
from bongsu.runtime.stop import StopSignal
from bongsu_auth import app as auth
from bongsu_bot import app as bot
from bongsu_bot.apis import Apis
from bongsu_bot.events import handlers as bot_events
from bongsu_bot.shards import leases
from bongsu_dashboard import app as dashboard
from bongsu_launcher import banner, demo
from bongsu_launcher.dispatcher import Dispatcher, Part
from bongsu_launcher.operations import create_operations
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import Composed, compose
from bongsu_notify import app as notify
from bongsu_notify import worker
from bongsu_notify.deliveries import service as deliveries
from bongsu_sandbox import app as sandbox

log = get_logger(__name__)

INTERNAL_CLIENT = "0.0.0.1"
"""The address from which the services of this process call each other; no outside client can have it."""


def process(options: argparse.Namespace) -> Main:
    """The main coroutine of the one-process mode, with the settings of the environment and of `.env`."""

    async def main(stop: StopSignal) -> None:
        await up(compose(options.database_url), stop)

    return main


async def up(composed: Composed, stop: StopSignal) -> None:
    """Run everything until `stop` is set.

    :raises StartError: the port, the data folder or the database cannot be used.
    """
    with composed.state.locked():
        await _run(composed, stop)
    log.info("process.ended")


async def _run(composed: Composed, stop: StopSignal) -> None:
    # The dashboard forwards the browser's address, as a gateway does.
    trusted = (*composed.platform.trusted_proxies, f"{INTERNAL_CLIENT}/32")
    platform = composed.platform.model_copy(update={"trusted_proxies": trusted})
    async with open_process(platform, stop) as process:
        database = await open_database(process, url=composed.database_url)
        vault = read_vault(platform)
        with as_start_error(database.engine):
            await _prepare(database, composed, vault)
        broker = await process.enter(_memory_broker())
        report_broker(process, broker)
        identity = open_identity(process, vault)
        parts = await _create_parts(
            process, composed, database=database, broker=broker, vault=vault, identity=identity, stop=stop
        )
        apis = Apis(
            {
                "auth": await _client(process, composed, parts[0].app),
                "notify": await _client(process, composed, parts[1].app),
            },
            ServiceCredentials(vault),
        )
        pages = await _create_dashboard(process, composed, auth=parts[0].app, notify=parts[1].app, broker=broker)
        operations = create_operations([*(part.app for part in parts), pages])

        async def start_work() -> None:
            # After the port answers: a delivery and the bot may call the sandbox, which is served on it.
            queues = [QueueSpec(name) for name in ALL_QUEUES]
            await broker.declare(*queues)
            await process.enter(Relay(database, broker, queues=queues).run())
            await process.enter(
                worker.consume(
                    database=database,
                    broker=broker,
                    vault=vault,
                    settings=composed.notify,
                    stop=stop,
                    auth=await _client(process, composed, parts[0].app),
                    registry=parts[1].app.state.metrics.registry,
                    report=process.report,
                )
            )
            await process.enter(bot_events.consuming(database, broker))
            if composed.bot.token is not None:
                await process.enter(
                    bot.running(
                        settings=composed.bot,
                        public_url=platform.url,
                        identity=identity,
                        database=database,
                        broker=broker,
                        apis=apis,
                        stop=stop,
                    )
                )
            print(banner.text(composed), flush=True)

        dispatcher = Dispatcher(parts, operations=operations, rest=pages)
        await process.serve(operations, behind=dispatcher, started=start_work)


@asynccontextmanager
async def _memory_broker() -> AsyncIterator[MemoryBroker]:
    # One client of all services: the bot admits notify's requests by this name.
    broker = MemoryBroker(user="notify")
    await broker.connect()
    yield broker
    await broker.close()


async def _prepare(database: Database, composed: Composed, vault: Vault) -> None:
    """Migrate the tables, create the first signing key and the demo users, and release what the last run claimed."""
    await migrations.upgrade(database.engine, MIGRATIONS)
    await ensure_signing_key(vault)
    await require_vault_opens(vault)
    if composed.notify.sandbox:
        await demo.seed(database)
    if composed.owns_database:
        # Only the process before this one can have claimed a message or a shard: there is no claim to wait for.
        async with database.unit():
            await outbox.release()
            await deliveries.release()
            await leases.release_all()


async def _create_parts(  # noqa: PLR0913 - the collaborators of the process
    process: Process,
    composed: Composed,
    *,
    database: Database,
    broker: Broker,
    vault: Vault,
    identity: Identity,
    stop: StopSignal,
) -> list[Part]:
    """Auth and notify, in this order, and the sandbox where it is needed."""
    platform = composed.platform
    notify_app = notify.create_app(settings=composed.notify, identity=identity, database=database, broker=broker)
    auth_app = auth.create_app(
        settings=composed.auth,
        identity=identity,
        database=database,
        vault=vault,
        public_url=platform.url,
        notify=await _client(process, composed, notify_app),
    )
    parts = [Part(auth_app, ("/auth", "/.well-known")), Part(notify_app, ("/v1", "/u"))]
    if composed.sandbox is not None:
        parts.append(Part(sandbox.create_app(composed.sandbox, platform, stop=stop), ("/sandbox",)))
    return parts


async def _create_dashboard(
    process: Process, composed: Composed, *, auth: Starlette, notify: Starlette, broker: MemoryBroker
) -> Starlette:
    """The dashboard, which calls the other services' apps directly instead of over the network."""
    return dashboard.create_app(
        settings=composed.dashboard,
        public_url=composed.platform.url,
        auth=await _client(process, composed, auth),
        notify=await _client(process, composed, notify),
        broker=broker,
    )


async def _client(process: Process, composed: Composed, app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(INTERNAL_CLIENT, 0))
    return await process.enter(httpx.AsyncClient(transport=transport, base_url=composed.platform.url))
