"""`python -m bongsu_sandbox`: the sandbox on a port of its own."""

import sys
from pathlib import Path

from bongsu.runtime.logging import configure_logging
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.app import create_app
from bongsu_sandbox.settings import SandboxSettings


async def main(stop: StopSignal) -> None:
    """Serve until told to stop.

    :raises StartError: a setting is missing or wrong, the port is taken, the public URL is not local, or the data
        cannot be used.
    """
    platform, settings = load(PlatformSettings, SandboxSettings, dotenv=Path(".env"))
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    app = create_app(settings, platform, stop=stop)
    await serve(app, listen(platform.host, platform.port), stop)


if __name__ == "__main__":
    sys.exit(run(main))
