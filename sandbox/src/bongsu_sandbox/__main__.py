"""Runs the sandbox: `python -m bongsu_sandbox`."""

import sys

from bongsu.process.lifecycle import open_process
from bongsu.process.server import run
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.app import create_app
from bongsu_sandbox.settings import SandboxSettings


async def main(stop: StopSignal) -> None:
    """Serve until `stop` is set.

    :raises StartError: settings, port or data cannot be used, or the public URL is not local.
    """
    platform, settings = load(PlatformSettings, SandboxSettings, dotenv=DOTENV)
    async with open_process(platform, stop) as process:
        await process.serve(create_app(settings, platform, stop=stop))


if __name__ == "__main__":
    sys.exit(run(main))
