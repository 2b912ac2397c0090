"""Runs the bot, with its health on a port, or registers its commands once: `python -m bongsu_bot [sync]`."""

import sys

import httpx

from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.process.broker import open_broker
from bongsu.process.database import open_database
from bongsu.process.identity import open_identity, open_vault
from bongsu.process.lifecycle import open_process
from bongsu.process.server import run_named
from bongsu.runtime.background import in_background
from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import configure_logging, get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_bot.apis import Apis
from bongsu_bot.app import create_app, running
from bongsu_bot.commands import sync as commands
from bongsu_bot.events import handlers as events
from bongsu_bot.migrations import MIGRATIONS
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.runner import Runner

log = get_logger(__name__)
REQUIRED = ("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS")


async def bot(stop: StopSignal) -> None:
    """Run until `stop` is set, or until Discord refuses the bot for good.

    :raises StartError: settings, port or database cannot be used, or Discord refuses the bot.
    """
    platform, settings = load(PlatformSettings, BotSettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    metrics = Metrics("bot")
    runners: list[Runner] = []

    async def is_ready() -> bool:
        return any(runner.ready for runner in runners)

    async with open_process(platform, stop) as process:
        database = await open_database(process, MIGRATIONS)
        broker = await open_broker(process, required=False)
        vault = await open_vault(process)
        identity = open_identity(process, vault)
        auth, notify = [
            await process.enter(httpx.AsyncClient(base_url=url or platform.url, timeout=settings.api_timeout_s))
            for url in (settings.auth_url, settings.notify_url)
        ]
        apis = Apis({"auth": auth, "notify": notify}, ServiceCredentials(vault))
        process.report("discord", is_ready)

        await process.enter(events.consuming(database, broker))

        async def log_in() -> None:
            if settings.token is None:
                # The process stays alive: ending would have it restarted for ever, and the rest works without a bot.
                log.warning("bot.token_missing", name="BOT_TOKEN")
                return
            runner = await process.enter(
                running(
                    settings=settings,
                    public_url=platform.url,
                    identity=identity,
                    database=database,
                    broker=broker,
                    apis=apis,
                    stop=stop,
                    metrics=metrics,
                )
            )
            runners.append(runner)
            await process.enter(in_background(_stop_when_refused(runner, stop), name="bot refusal"))

        await process.serve(create_app(identity=identity, metrics=metrics), started=log_in)
    if runners and runners[0].refusal is not None:
        raise StartError(runners[0].refusal)


async def _stop_when_refused(runner: Runner, stop: StopSignal) -> None:
    while runner.refusal is None:
        await runner.changed.wait()
    stop.set()


async def sync(_stop: StopSignal) -> None:
    """Register the slash commands with Discord.

    :raises StartError: settings cannot be used, or Discord refuses.
    """
    platform, settings = load(PlatformSettings, BotSettings, dotenv=DOTENV)
    configure_logging(level="WARNING", as_json=platform.log_json)
    count = await commands.sync(settings.with_stand_ins(platform.sandbox_url))
    print(f"{count} commands are registered.")  # noqa: T201 - a command's answer


if __name__ == "__main__":
    sys.exit(run_named({"": bot, "sync": sync}, usage="python -m bongsu_bot [sync]"))
