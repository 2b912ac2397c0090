"""Runs a process of notify: `python -m bongsu_notify api|worker`."""

import sys

import httpx

from bongsu.process.broker import open_broker
from bongsu.process.database import open_database
from bongsu.process.identity import open_identity, open_vault
from bongsu.process.lifecycle import open_process
from bongsu.process.server import run_named
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_notify.migrations import MIGRATIONS
from bongsu_notify.settings import NotifySettings

REQUIRED = ("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS")


async def api(stop: StopSignal) -> None:
    """Serve the API until `stop` is set.

    :raises StartError: settings, port or database cannot be used.
    """
    # Each process imports only its own: the worker's memory is for mails.
    from bongsu_notify.app import create_app  # noqa: PLC0415 - see the line above

    platform, settings = load(PlatformSettings, NotifySettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    async with open_process(platform, stop) as process:
        database = await open_database(process, MIGRATIONS)
        broker = await open_broker(process, required=False)
        identity = open_identity(process, await open_vault(process))
        await process.serve(create_app(settings=settings, identity=identity, database=database, broker=broker))


async def worker(stop: StopSignal) -> None:
    """Send until `stop` is set.

    :raises StartError: settings, port, database or broker cannot be used.
    """
    # Imported here, so that the API's process does not load the AWS client.
    from bongsu_notify.worker import create_worker  # noqa: PLC0415 - see the line above

    platform, settings = load(PlatformSettings, NotifySettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    async with open_process(platform, stop) as process:
        database = await open_database(process, MIGRATIONS)
        broker = await open_broker(process)
        vault = await open_vault(process)
        auth = await process.enter(
            httpx.AsyncClient(base_url=settings.auth_url or platform.url, timeout=settings.send_timeout_s)
        )
        app = create_worker(
            database=database,
            broker=broker,
            vault=vault,
            settings=settings,
            stop=stop,
            auth=auth,
            report=process.report,
        )
        await process.serve(app)


if __name__ == "__main__":
    sys.exit(run_named({"api": api, "worker": worker}, usage="python -m bongsu_notify api|worker"))
