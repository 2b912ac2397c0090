"""`python -m bongsu_bot [sync]`: the bot, with its health on a port of its own; or its commands' registration, once."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from bongsu.broker import opening as brokers
from bongsu.identity import opening as identities
from bongsu.identity.sealing import require_opens
from bongsu.runtime import database as databases
from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import configure_logging, get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.migrations import require_current
from bongsu.runtime.server import listen, run, serve
from bongsu.runtime.settings import PlatformSettings, load
from bongsu.runtime.stop import StopSignal
from bongsu_bot.app import MIGRATIONS, create_app, running
from bongsu_bot.commands import sync as commands
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.runner import Runner

log = get_logger(__name__)
DOTENV = Path(".env")
REQUIRED = ("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS")


async def bot(stop: StopSignal) -> None:
    """Run until told to stop, or until Discord refuses the bot for good.

    :raises StartError: settings, port, database or broker are not as they must be; or Discord refuses the bot.
    """
    platform, settings = load(PlatformSettings, BotSettings, dotenv=DOTENV, required=REQUIRED)
    settings = settings.with_stand_ins(platform.sandbox_url)
    configure_logging(level=platform.log_level, as_json=platform.log_json)
    vault = identities.vault_of(platform)
    identity = identities.identity_of(platform, vault)
    sock = listen(platform.host, platform.port)
    metrics = Metrics("bot")
    runners: list[Runner] = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            databases.opened(databases.database_url(platform), slow_ms=platform.slow_query_ms)
        )
        broker = await stack.enter_async_context(brokers.opened(platform, required=False))
        await require_current(database.engine, [MIGRATIONS])
        await require_opens(vault)
        app = create_app(
            identity=identity,
            database=database,
            broker=broker,
            runner=lambda: runners[0] if runners else None,
            metrics=metrics,
        )

        async def begin() -> None:
            if settings.token is None:
                # Alive and not ready, not ended and started again for ever: the rest works without it.
                log.warning("bot.token_missing", name="BOT_TOKEN")
                return
            runner = await stack.enter_async_context(
                running(
                    settings=settings,
                    public_url=platform.url,
                    identity=identity,
                    database=database,
                    broker=broker,
                    stop=stop,
                    metrics=metrics,
                )
            )
            runners.append(runner)
            end = asyncio.create_task(_end_when_refused(runner, stop))
            stack.callback(end.cancel)

        await serve(app, sock, stop, started=begin)
    if runners and runners[0].refusal is not None:
        raise StartError(runners[0].refusal)


async def _end_when_refused(runner: Runner, stop: StopSignal) -> None:
    while runner.refusal is None:
        await runner.changed.wait()
    stop.set()


async def sync(_stop: StopSignal) -> None:
    """Register the slash commands with Discord.

    :raises StartError: it is not possible, and why.
    """
    platform, settings = load(PlatformSettings, BotSettings, dotenv=DOTENV)
    configure_logging(level="WARNING", as_json=platform.log_json)
    count = await commands.sync(settings.with_stand_ins(platform.sandbox_url))
    print(f"{count} commands are registered.")  # noqa: T201 - a command's answer


PROCESSES: dict[str, Callable[[StopSignal], Awaitable[None]]] = {"bot": bot, "sync": sync}


def main(arguments: list[str]) -> int:
    """Run the process that is named, by default the bot; the exit code."""
    name = arguments[0] if arguments else "bot"
    if len(arguments) > 1 or name not in PROCESSES:
        print("usage: python -m bongsu_bot [sync]", file=sys.stderr)  # noqa: T201 - a command's usage
        return 2
    return run(PROCESSES[name])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
