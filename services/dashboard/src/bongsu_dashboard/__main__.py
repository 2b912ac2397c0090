"""Runs the dashboard: `python -m bongsu_dashboard`."""

import sys

import httpx

from bongsu.process.broker import open_broker
from bongsu.process.lifecycle import open_process
from bongsu.process.server import run
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_dashboard.app import create_app
from bongsu_dashboard.settings import DashboardSettings

REQUIRED = ("AMQP_URL",)


async def pages(stop: StopSignal) -> None:
    """Serve the pages until `stop` is set.

    :raises StartError: settings or port cannot be used.
    """
    platform, settings = load(PlatformSettings, DashboardSettings, dotenv=DOTENV, required=REQUIRED)
    async with open_process(platform, stop) as process:
        auth, notify = [
            await process.enter(httpx.AsyncClient(base_url=url or platform.url, timeout=settings.timeout_s))
            for url in (settings.auth_url, settings.notify_url)
        ]
        broker = await open_broker(process, required=False)
        app = create_app(settings=settings, public_url=platform.url, auth=auth, notify=notify, broker=broker)
        await process.serve(app)


if __name__ == "__main__":
    sys.exit(run(pages))
