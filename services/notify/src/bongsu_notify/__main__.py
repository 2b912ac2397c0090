"""`python -m bongsu_notify api|worker`: one of notify's processes, on a port of its own."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bongsu.broker import opening as brokers
from bongsu.identity import opening as identities
from bongsu.identity.sealing import require_opens
from bongsu.runtime import database as databases
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.migrations import require_current
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_notify.app import MIGRATIONS, create_app
from bongsu_notify.settings import NotifySettings

DOTENV = Path(".env")
REQUIRED = ("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS")


async def api(stop: StopSignal) -> None:
    """Serve the API until told to stop.

    :raises StartError: settings, port, database or broker are not as they must be.
    """
    platform, settings = load(PlatformSettings, NotifySettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    vault = identities.vault_of(platform)
    identity = identities.identity_of(platform, vault)
    sock = listen(platform.host, platform.port)
    async with (
        databases.opened(databases.database_url(platform), slow_ms=platform.slow_query_ms) as database,
        brokers.opened(platform, required=False) as broker,
    ):
        await require_current(database.engine, [MIGRATIONS])
        await require_opens(vault)
        app = create_app(settings=settings, identity=identity, database=database, broker=broker)
        await serve(app, sock, stop)


async def worker(stop: StopSignal) -> None:
    """Send until told to stop.

    :raises StartError: settings, port, database or broker are not as they must be.
    """
    # Here and not above: the API does without the AWS client and its megabytes.
    from bongsu_notify.worker import create_worker  # noqa: PLC0415 - see the line above

    platform, settings = load(PlatformSettings, NotifySettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    vault = identities.vault_of(platform)
    sock = listen(platform.host, platform.port)
    async with (
        databases.opened(databases.database_url(platform), slow_ms=platform.slow_query_ms) as database,
        brokers.opened(platform, stop=stop) as broker,
    ):
        await require_current(database.engine, [MIGRATIONS])
        await require_opens(vault)
        app = create_worker(database=database, broker=broker, vault=vault, settings=settings, stop=stop)
        await serve(app, sock, stop)


PROCESSES: dict[str, Callable[[StopSignal], Awaitable[None]]] = {"api": api, "worker": worker}


def main(arguments: list[str]) -> int:
    """Run the process that is named; the exit code."""
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        print(f"usage: python -m bongsu_notify {'|'.join(PROCESSES)}", file=sys.stderr)  # noqa: T201 - a command's usage
        return 2
    return run(PROCESSES[arguments[0]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
