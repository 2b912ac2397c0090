"""`bongsu up`: every service in one process, on SQLite and the in-memory broker unless told otherwise."""

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
from fastapi import FastAPI

from bongsu import outbox
from bongsu.broker import QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.identity import opening as identities
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.sealing import require_opens
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu.runtime import database as databases
from bongsu.runtime import migrations
from bongsu.runtime.logging import configure_logging, get_logger
from bongsu.runtime.server import listen, serve
from bongsu.runtime.stop import StopSignal
from bongsu_auth import app as auth
from bongsu_bot import app as bot
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

WITHIN = "0.0.0.1"
"""The address from which the services of this process call each other: nobody outside can have it."""


def process(options: argparse.Namespace) -> Callable[[StopSignal], Awaitable[None]]:
    """The main coroutine of the one-process mode, with the settings of the environment and of `.env`."""

    async def main(stop: StopSignal) -> None:
        await up(compose(options.database_url), stop)

    return main


async def up(composed: Composed, stop: StopSignal) -> None:
    """Run everything until told to stop.

    :raises StartError: the port, the data folder or the database cannot be used.
    """
    platform = composed.platform
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    sock = listen(platform.host, platform.port)
    async with AsyncExitStack() as stack:
        stack.callback(sock.close)
        stack.enter_context(composed.state.locked())
        opening = databases.opened(composed.database_url, slow_ms=platform.slow_query_ms)
        database = await stack.enter_async_context(opening)
        vault = identities.vault_of(platform)
        with databases.told_plainly(database.engine):
            await _prepare(database, composed, vault)
        broker = MemoryBroker()
        await broker.connect()
        stack.push_async_callback(broker.close)
        queues = [QueueSpec(name) for name in ALL_QUEUES]
        await broker.declare(*queues)
        identity = _identity(composed, vault)
        parts = _parts(composed, database=database, broker=broker, vault=vault, identity=identity, stop=stop)
        pages = await _dashboard(stack, composed, auth=parts[0].app, notify=parts[1].app, broker=broker)
        apps = [*(part.app for part in parts), pages]
        operations = create_operations(apps, database=database, broker=broker)
        app = Dispatcher(parts, operations=operations, rest=pages)

        async def begin_work() -> None:
            # Only now, because a delivery and the bot may call the sandbox, which is on our own port.
            await stack.enter_async_context(Relay(database, broker, queues=queues).running())
            await stack.enter_async_context(
                worker.consuming(
                    database=database,
                    broker=broker,
                    vault=vault,
                    settings=composed.notify,
                    stop=stop,
                    registry=parts[1].app.state.metrics.registry,
                )
            )
            if composed.bot.token is not None:
                await stack.enter_async_context(
                    bot.running(
                        settings=composed.bot,
                        public_url=platform.url,
                        identity=identity,
                        database=database,
                        broker=broker,
                        stop=stop,
                    )
                )
            print(banner.text(composed), flush=True)

        await serve(app, sock, stop, started=begin_work)
    log.info("process.ended")


async def _prepare(database: Database, composed: Composed, vault: Vault) -> None:
    """Tables, the first signing key, the demo users; and what the last run left with its broker is due again."""
    await migrations.upgrade(database.engine, MIGRATIONS)
    await ensure_signing_key(vault)
    await require_opens(vault)
    if composed.notify.sandbox:
        await demo.seed(database)
    if composed.owns_database:
        # Whoever held a message or a lease was the process before this one: nothing need wait for them to run out.
        async with database.unit():
            await outbox.release()
            await deliveries.release()


def _identity(composed: Composed, vault: Vault) -> Identity:
    """Believes what the dashboard says of the browser's address, as behind a gateway it believes its proxies."""
    trusted = (*composed.platform.trusted_proxies, f"{WITHIN}/32")
    return identities.identity_of(composed.platform.model_copy(update={"trusted_proxies": trusted}), vault)


def _parts(  # noqa: PLR0913 - each is one thing that the services are built on
    composed: Composed,
    *,
    database: Database,
    broker: MemoryBroker,
    vault: Vault,
    identity: Identity,
    stop: StopSignal,
) -> list[Part]:
    """Auth and notify, in this order, and what else has paths of its own."""
    platform = composed.platform
    parts = [
        Part(
            auth.create_app(
                settings=composed.auth, identity=identity, database=database, vault=vault, public_url=platform.url
            ),
            ("/auth", "/.well-known"),
        ),
        Part(
            notify.create_app(settings=composed.notify, identity=identity, database=database, broker=broker),
            ("/v1", "/u"),
        ),
    ]
    if composed.sandbox is not None:
        parts.append(Part(sandbox.create_app(composed.sandbox, platform, stop=stop), ("/sandbox",)))
    return parts


async def _dashboard(
    stack: AsyncExitStack, composed: Composed, *, auth: FastAPI, notify: FastAPI, broker: MemoryBroker
) -> FastAPI:
    """The dashboard, which calls the other services' apps without a detour by way of the network."""

    async def client(app: FastAPI) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(WITHIN, 0))
        return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=composed.platform.url))

    return dashboard.create_app(
        settings=composed.dashboard,
        public_url=composed.platform.url,
        auth=await client(auth),
        notify=await client(notify),
        broker=broker,
    )
