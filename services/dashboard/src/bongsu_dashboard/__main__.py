"""`python -m bongsu_dashboard`: the dashboard, on a port of its own."""

import sys
from pathlib import Path

import httpx

from bongsu.broker import opening as brokers
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_dashboard.app import create_app
from bongsu_dashboard.settings import DashboardSettings

DOTENV = Path(".env")


async def pages(stop: StopSignal) -> None:
    """Serve the pages until told to stop.

    :raises StartError: settings or port are not as they must be.
    """
    platform, settings = load(PlatformSettings, DashboardSettings, dotenv=DOTENV)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    sock = listen(platform.host, platform.port)
    async with (
        httpx.AsyncClient(base_url=settings.auth_url or platform.url, timeout=settings.timeout_s) as auth,
        httpx.AsyncClient(base_url=settings.notify_url or platform.url, timeout=settings.timeout_s) as notify,
        brokers.opened(platform, required=False) as broker,
    ):
        app = create_app(settings=settings, public_url=platform.url, auth=auth, notify=notify, broker=broker)
        await serve(app, sock, stop)


if __name__ == "__main__":
    sys.exit(run(pages))
