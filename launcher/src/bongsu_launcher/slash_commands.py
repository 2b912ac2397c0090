"""`bongsu commands sync`: registers the bot's slash commands."""

import argparse

from bongsu.process.server import Main
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.stop import StopSignal
from bongsu_bot.commands.sync import sync
from bongsu_launcher.settings import compose


def process(_options: argparse.Namespace) -> Main:
    """Register the commands with Discord, or with the sandbox of a running `bongsu up`.

    :raises StartError: the token is missing or wrong, or Discord does not respond.
    """

    async def main(_stop: StopSignal) -> None:
        configure_logging(level="WARNING", as_json=False)
        print(f"{await sync(compose().bot)} commands are registered.")

    return main
