"""`python -m bongsu_auth`: the API, on a port of its own."""

import sys
from pathlib import Path

from bongsu.identity import opening as identities
from bongsu.identity.sealing import require_opens
from bongsu.runtime import database as databases
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.migrations import require_current
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_auth.app import MIGRATIONS, create_app
from bongsu_auth.settings import AuthSettings

DOTENV = Path(".env")
REQUIRED = ("MYSQL_HOST", "BONGSU_VAULT_KEYS")


async def api(stop: StopSignal) -> None:
    """Serve the API until told to stop.

    :raises StartError: settings, port or database are not as they must be.
    """
    platform, settings = load(PlatformSettings, AuthSettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url, public_url=platform.url)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    vault = identities.vault_of(platform)
    identity = identities.identity_of(platform, vault)
    sock = listen(platform.host, platform.port)
    async with databases.opened(databases.database_url(platform), slow_ms=platform.slow_query_ms) as database:
        await require_current(database.engine, [MIGRATIONS])
        await require_opens(vault)
        app = create_app(settings=settings, identity=identity, database=database, vault=vault, public_url=platform.url)
        await serve(app, sock, stop)


if __name__ == "__main__":
    sys.exit(run(api))
