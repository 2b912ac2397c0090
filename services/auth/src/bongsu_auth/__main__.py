"""Runs the API: `python -m bongsu_auth`."""

import sys

import httpx

from bongsu.process.database import open_database
from bongsu.process.identity import open_identity, open_vault
from bongsu.process.lifecycle import open_process
from bongsu.process.server import run
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_auth.app import create_app
from bongsu_auth.migrations import MIGRATIONS
from bongsu_auth.settings import AuthSettings

NOTIFY_TIMEOUT_S = 10.0
REQUIRED = ("MYSQL_HOST", "BONGSU_VAULT_KEYS")


async def api(stop: StopSignal) -> None:
    """Serve the API until `stop` is set.

    :raises StartError: settings, port or database cannot be used.
    """
    platform, settings = load(PlatformSettings, AuthSettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url, public_url=platform.url)
    async with open_process(platform, stop) as process:
        database = await open_database(process, MIGRATIONS)
        vault = await open_vault(process)
        identity = open_identity(process, vault)
        notify = await process.enter(
            httpx.AsyncClient(base_url=settings.notify_url or platform.url, timeout=NOTIFY_TIMEOUT_S)
        )
        app = create_app(
            settings=settings,
            identity=identity,
            database=database,
            vault=vault,
            public_url=platform.url,
            notify=notify,
        )
        await process.serve(app)


if __name__ == "__main__":
    sys.exit(run(api))
