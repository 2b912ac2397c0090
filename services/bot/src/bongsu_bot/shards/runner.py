"""Keeps the bot logged in.

Each failed attempt is one line in the log. A refusal that no retry can change ends the runner.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import aiohttp
import discord
from prometheus_client import Counter, Gauge

from bongsu.contracts.rpc import ShardState
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.stop import StopSignal
from bongsu_bot.bot import BongsuBot
from bongsu_bot.commands.sync import fetch_ids, sync_with
from bongsu_bot.rest import CONNECTION_ERRORS
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.health import HealthLog, ShardHealth
from bongsu_bot.shards.identify import FIRST_PAUSE_S, IdentifyBackoff, IdentifyPostponed
from bongsu_bot.shards.leases import ShardLeases

log = get_logger(__name__)
State = Literal["starting", "ready", "waiting", "refused", "stopped"]
MakeBot = Callable[[IdentifyBackoff, frozenset[int]], BongsuBot]

_CLOSE_S = 2.5
_CANCEL_AGAIN_S = 0.5
_STABLE_S = 300.0
_THROTTLED_PAUSE_S = 30.0
SETTINGS_ERRORS: Final = {
    4004: "Discord refuses BOT_TOKEN: copy it again from the developer portal",
    4010: "Discord refuses the shard: check BOT_SHARDS",
    4011: "Discord asks for more shards: raise BOT_SHARDS",
    4013: "Discord refuses the bot's intents",
    4014: "Discord refuses the bot's intents: allow them in the developer portal",
}


class LoginRefused(Exception):
    """Discord refuses the bot until a setting is changed. The message says which."""


class Runner:
    """Runs one bot at a time, on the shards of this process. It restarts the bot when they change.

    py-cord can neither end one shard nor start one with the session of another bot.

    :param first_pause_s: the pause before the second IDENTIFY of a shard, and before a bot that failed starts again.
    """

    def __init__(  # noqa: PLR0913 - the collaborators of the runner
        self,
        make: MakeBot,
        settings: BotSettings,
        leases: ShardLeases,
        stop: StopSignal,
        metrics: Metrics,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._make = make
        self._settings = settings
        self._leases = leases
        self._stop = stop
        self._bot: BongsuBot | None = None
        self._first_pause_s = self._pause_s = first_pause_s
        self.refusal: str | None = None
        self.changed = asyncio.Event()
        identifies = Counter("bot_identifies", "Logins to the gateway", registry=metrics.registry)
        self._backoff = IdentifyBackoff(identifies.inc, base_s=first_pause_s)
        Gauge("bot_ready", "Whether all shards are connected", registry=metrics.registry).set_function(
            lambda: self.ready
        )
        self.state: State = "starting"
        self._health = HealthLog(self._shard_state)

    @property
    def ready(self) -> bool:
        """Whether all shards of this process are connected now. A process without shards stands by."""
        return all(self.health(shard).is_connected for shard in self._leases.own)

    def health(self, shard: int) -> ShardHealth:
        """Return the health of a shard of this process."""
        return self._health.get(shard, self._bot.latency_of(shard) if self._bot is not None else None)

    def find_guild(self, guild_id: int) -> discord.Guild | None:
        """Return a guild of this process's shards from the gateway's cache, if the bot is in it."""
        return self._bot.get_guild(guild_id) if self._bot is not None else None

    def _shard_state(self, shard: int) -> ShardState:
        if self.state in ("waiting", "refused", "stopped"):
            return self.state
        is_connected = self.state == "ready" and self._bot is not None and self._bot.connected(shard)
        return "connected" if is_connected else "connecting"

    async def run(self) -> None:
        """Run until the process ends, or until Discord refuses the bot for good."""
        while not self._stop.is_set():
            self._set_state("starting")
            shards = self._leases.own
            if not shards:
                await self._wait_for_change(shards)
                continue
            began = time.monotonic()
            postponed_s: float | None = None
            self._leases.set_running(shards)
            bot = self._bot = self._make(self._backoff, shards)
            for event in ("on_shard_ready", "on_shard_resumed", "on_shard_disconnect"):
                bot.add_listener(self._observe, event)
            try:
                await self._run_bot(bot, shards)
            except LoginRefused as refused:
                self.refusal = str(refused)
                log.error("bot.refused", reason=self.refusal)
                self._set_state("refused")
                return
            except IdentifyPostponed as postponed:
                log.warning("bot.login_postponed", reason=str(postponed))
                postponed_s = postponed.delay_s
            except Exception as error:  # noqa: BLE001 - whatever ends the bot, it is logged and the bot restarted
                self._log_failure(error)
            finally:
                self._bot = None
                await _close(bot)
                self._leases.set_running(())
            if self._leases.own != shards:
                continue
            if time.monotonic() - began > _STABLE_S:
                self._pause_s = self._first_pause_s
            if not self._stop.is_set():
                await self._pause(postponed_s)
        self._set_state("stopped")

    async def _wait_for_change(self, shards: frozenset[int]) -> None:
        """Wait until this process has other shards, or ends."""
        tasks = [asyncio.create_task(self._leases.wait_for_change(shards)), asyncio.create_task(self._stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(*tasks)

    async def _run_bot(self, bot: BongsuBot, shards: frozenset[int]) -> None:
        token = self._settings.token
        if token is None:
            raise LoginRefused("BOT_TOKEN is missing (the bot's token, from Discord's developer portal)")
        running = asyncio.create_task(bot.start(token.get_secret_value(), env_path=None), name="bot")
        ready = asyncio.create_task(bot.wait_until_ready(), name="bot ready")
        stopped = asyncio.create_task(self._stop.wait(), name="bot stop")
        moved = asyncio.create_task(self._leases.wait_for_change(shards), name="bot shards")
        ended: set[asyncio.Future[Any]] = {running, stopped, moved, bot.postponed}
        try:
            await asyncio.wait(
                {*ended, ready}, timeout=self._settings.ready_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not any(one.done() for one in ended):
                if not ready.done():
                    raise TimeoutError(f"not ready within {self._settings.ready_timeout_s:g} s")
                await self._start_work(bot, shards)
                await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            if bot.postponed.done():
                raise bot.postponed.result()
            if running.done():
                _raise_cause(running)
        finally:
            await _cancel(running, ready, stopped, moved)

    async def _start_work(self, bot: BongsuBot, shards: frozenset[int]) -> None:
        self._set_state("ready")
        log.info("bot.ready", guilds=len(bot.guilds), shards=sorted(shards), of=self._leases.total)
        try:
            await (sync_with if self._settings.sync_commands else fetch_ids)(bot)
        except (discord.HTTPException, *CONNECTION_ERRORS) as error:
            log.warning("commands.sync_failed", error=type(error).__name__)

    def _log_failure(self, error: Exception) -> None:
        if isinstance(error, discord.HTTPException) and error.status == 429:
            # py-cord waits for Discord's own limits. This one is from its proxy, which blocks the address.
            self._pause_s = max(self._pause_s, _THROTTLED_PAUSE_S)
        if isinstance(error, discord.DiscordException | aiohttp.ClientError | OSError | TimeoutError):
            cause = error.__cause__ if isinstance(error, discord.GatewayNotFound) else None
            log.warning("bot.disconnected", error=type(error).__name__, reason=str(cause or error)[:200])
        else:
            log.error("bot.failed", error=type(error).__name__, exc_info=error)

    async def _pause(self, postponed_s: float | None) -> None:
        """Wait before the next bot: after a failure ever longer, or for as long as its IDENTIFY was postponed."""
        self._set_state("waiting")
        if postponed_s is not None:
            pause_s = postponed_s
        else:
            pause_s = min(self._pause_s, self._settings.retry_max_s) * random.uniform(0.8, 1)  # noqa: S311 - no secret
            self._pause_s = min(self._pause_s * 2, self._settings.retry_max_s)
        log.info("bot.retry_scheduled", in_s=round(pause_s, 1))
        await self._stop.sleep(pause_s)

    async def _observe(self, _shard: int) -> None:
        self._health.observe()

    def _set_state(self, state: State) -> None:
        self.state = state
        self._health.observe()
        self.changed.set()
        self.changed = asyncio.Event()


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks until they have ended: py-cord 2.8.1 swallows a cancellation in `launch_shard` and `reidentify`."""
    pending: set[asyncio.Task[Any]] = {*tasks}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def _raise_cause(running: "asyncio.Task[None]") -> None:
    """Raise the cause of the bot's end."""
    try:
        running.result()
    except discord.LoginFailure as error:
        raise LoginRefused(SETTINGS_ERRORS[4004]) from error
    except discord.PrivilegedIntentsRequired as error:
        raise LoginRefused(SETTINGS_ERRORS[4014]) from error
    except discord.ConnectionClosed as error:
        if error.code in SETTINGS_ERRORS:
            raise LoginRefused(SETTINGS_ERRORS[error.code]) from error
        raise
    raise ConnectionError("the connection to Discord ended")


async def _close(bot: BongsuBot) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_S):
            await bot.close()
