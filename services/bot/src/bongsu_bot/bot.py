"""The bot: ezcord's, without the parts that are unsafe in a shared process."""

import asyncio
import importlib.util
import logging
import math
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, TypeVar, cast
from uuid import uuid4

import discord
import ezcord
from discord.ext import commands
from discord.http import Route
from discord.shard import EventItem, EventType
from ezcord import emb

from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_bot import language
from bongsu_bot.guild_commands.service import ALWAYS_ON
from bongsu_bot.guild_commands.switches import Check, CommandOff, CommandSwitches
from bongsu_bot.language import problem, text
from bongsu_bot.request_rate import RequestRate
from bongsu_bot.rest import CONNECTION_ERRORS, use_api
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.budget import IdentifyBudget
from bongsu_bot.shards.connections import GatewayConnections
from bongsu_bot.shards.identify import (
    CLAIM_S,
    FIRST_PAUSE_S,
    LONGEST_RECONNECT_S,
    LONGEST_SLEEP_S,
    STARTS_KEPT,
    IdentifyBackoff,
    IdentifyPostponed,
    ReconnectBackoff,
)

log = get_logger(__name__)
T = TypeVar("T")
HELP_TIMEOUT_S: Final = 600
"""Shorter than the 15 minutes in which Discord lets the bot disable the menu."""
_UNKNOWN_INTERACTION = 10062
_ALREADY_ACKNOWLEDGED = 40060
_CLICKS = "discord-ui-"
_FINISH_S = 1.0


class BongsuBot(ezcord.AutoShardedBot):
    """Make it inside the running event loop: py-cord binds its timers to the loop that it finds.

    It loads the `cog.py` of every feature, and their texts.

    :param services: what the cogs `find`: one object of each type.
    :param backoff: says when a shard may IDENTIFY.
    :param shards: those that this process runs.
    :param rate: delays requests to Discord.
    :param first_pause_s: the pause before the second RESUME in a row.
    """

    def __init__(
        self,
        settings: BotSettings,
        *services: object,
        backoff: IdentifyBackoff | None = None,
        shards: frozenset[int] = frozenset({0}),
        rate: RequestRate | None = None,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        # py-cord warns that it cannot play voice; the bot has no use for that.
        logging.getLogger("discord.utils").setLevel(logging.ERROR)
        use_api(settings.api_url)
        language.install()
        super().__init__(
            loop=asyncio.get_running_loop(),
            intents=discord.Intents(guilds=True),
            shard_count=settings.shards,
            shard_ids=sorted(shards),
            guild_ready_timeout=settings.guilds_timeout_s,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            # A command that needs a server names its contexts itself.
            default_command_contexts={
                discord.InteractionContextType.guild,
                discord.InteractionContextType.bot_dm,
            },
            default_command_integration_types={discord.IntegrationType.guild_install},
            # If Discord answers 404 to the sounds, the bot is never ready (py-cord 2.8.1).
            cache_default_sounds=False,
            # It registers the commands at each new session, and at each unknown command.
            auto_sync_commands=False,
            # ezcord's handler shows the exception's text to the user.
            error_handler=False,
            debug=False,
            ready_event=None,
        )
        if rate is not None:
            rate.limit(self.http)
        self._connections = GatewayConnections(self._connection)
        self._services = {type(service): service for service in services}
        self._identify_pause_s = settings.identify_pause_s
        self._backoff = backoff or IdentifyBackoff()
        self._resumes = IdentifyBackoff(base_s=first_pause_s, max_s=LONGEST_RECONNECT_S)
        self._in_session: set[int] = set()
        self._max_concurrency = 1
        self._claimed: dict[int, float] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._has_ended = False
        self.postponed: asyncio.Future[IdentifyPostponed] = asyncio.get_running_loop().create_future()
        """Done when an IDENTIFY has to wait so long that the bot must be restarted for it."""
        self.add_help_command(timeout=HELP_TIMEOUT_S, title_format="{emoji} {name}", permission_check=True)
        for feature in language.features():
            module = f"bongsu_bot.{feature}.cog"
            if importlib.util.find_spec(module) is not None:
                self.load_extension(module)
        for pending in self.pending_application_commands:
            members = pending.walk_commands() if isinstance(pending, discord.SlashCommandGroup) else (pending,)
            for command in members:
                if command.qualified_name != ALWAYS_ON:
                    command.checks.append(self._switch_of(command.qualified_name))
        self.localize_commands(language.command_texts(), default="en")

    def _switch_of(self, command: str) -> Check:
        """Return the check that a command is on; `/help` lists those that pass theirs."""

        async def check(context: discord.ApplicationContext) -> bool:
            await self.find(CommandSwitches).require_on(command, context.interaction)
            return True

        return check

    def find(self, kind: type[T]) -> T:
        """Return the service of exactly this type.

        :raises LookupError: the bot was made without one.
        """
        if kind not in self._services:
            raise LookupError(f"the bot has no {kind.__name__}: pass one where it is made")
        return cast("T", self._services[kind])

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002 - py-cord's
        """Wait until the shard may IDENTIFY.

        :raises IdentifyPostponed: the wait is too long for this connection.
        """
        shard = shard_id or 0
        limit = (await self.http.request(Route("GET", "/gateway/bot")))["session_start_limit"]
        self._max_concurrency = limit.get("max_concurrency", 1)
        delay_s = limit["reset_after"] / 1000 if limit["remaining"] <= STARTS_KEPT else 0.0
        if delay_s > 0:
            log.error("gateway.starts_spent", shard_id=shard, remaining=limit["remaining"], wait_s=delay_s)
        try:
            if delay_s > LONGEST_SLEEP_S:
                raise IdentifyPostponed(delay_s)  # noqa: TRY301 - as `_claim_identify` does
            await asyncio.sleep(delay_s)
            if self._claimed.pop(shard, -math.inf) < self.loop.time() - CLAIM_S:
                await self._claim_identify(shard, within_s=LONGEST_SLEEP_S - delay_s)
        except IdentifyPostponed as postponed:
            if not self.postponed.done():
                self.postponed.set_result(postponed)
            raise
        self._backoff.record(shard)

    async def _claim_identify(self, shard: int, *, within_s: float) -> None:
        """Wait for the back-off of the shard, and for its turn among all shards.

        :raises IdentifyPostponed: that takes longer.
        """
        delay_s = self._backoff.delay_s(shard)
        if delay_s > within_s:
            raise IdentifyPostponed(delay_s)
        await asyncio.sleep(delay_s)
        bucket = shard % self._max_concurrency
        await self.find(IdentifyBudget).claim(bucket, self._identify_pause_s, within_s=within_s - delay_s)

    async def launch_shard(self, gateway: str, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard, which then connects again neither too fast nor too late."""
        await super().launch_shard(gateway, shard_id, initial=initial)
        if (shard := self.get_shard(shard_id)) is not None:
            parent = shard._parent  # noqa: SLF001 - py-cord has no setting for either
            parent._backoff = ReconnectBackoff()  # noqa: SLF001 - the same
            parent._queue_put = partial(self._put_in_time, parent._queue_put)  # noqa: SLF001 - the same

    def _put_in_time(self, put: Callable[[EventItem], None], item: EventItem) -> None:
        """Queue what a shard does next, and let it wait before it resumes or identifies again.

        py-cord 2.8.1 does either immediately, however often the gateway closes the connection. Its queue handles one
        shard after the other, so the wait is before it: no other shard waits, and no connection is open meanwhile.
        """
        if item.shard is not None:
            self._in_session.discard(item.shard.id)
        if item.shard is None or item.type not in (EventType.resume, EventType.identify):
            put(item)  # a reconnect as well: it uses up no IDENTIFY until the gateway answers
            return
        wait = self._wait_to_resume if item.type == EventType.resume else self._wait_to_identify

        async def put_in_time(shard: int) -> None:
            try:
                await wait(shard)
            finally:  # a defect must not end the shard: `before_identify_hook` waits as well
                put(item)

        self._run_until_close(put_in_time(item.shard.id), name=f"shard {item.shard.id} waits")

    def _run_until_close(self, work: Coroutine[None, None, None], *, name: str) -> None:
        """Run work that must not go on after the bot: py-cord does not end the listeners that run."""
        if self.is_closed():
            work.close()
            return
        task = self.loop.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _wait_to_resume(self, shard: int) -> None:
        await asyncio.sleep(self._resumes.delay_s(shard))
        self._resumes.record(shard)

    async def _wait_to_identify(self, shard: int) -> None:
        await self._claim_identify(shard, within_s=math.inf)
        self._claimed[shard] = self.loop.time()

    def _running(self) -> set["asyncio.Task[None]"]:
        """Return the tasks that handle events, and those of clicks in messages, which py-cord only names."""
        clicks = {task for task in asyncio.all_tasks() if task.get_name().startswith(_CLICKS)}
        return {task for task in clicks | self._tasks if task is not asyncio.current_task()}

    async def close(self) -> None:
        """End the connections, and the work that belongs to them: what handles an event may finish, for a second.

        The second call completes the first one if that was cancelled.
        """
        try:
            if handling := self._running():
                await asyncio.wait(handling, timeout=_FINISH_S)
            await super().close()
        finally:
            self._has_ended = True
            self._connections.close()
            # They would go on after the database is closed, and open it again.
            ending = self._background | self._running()
            for task in ending:
                task.cancel()
            await self.http.close()
            await asyncio.gather(*ending, return_exceptions=True)

    def dispatch(self, event: str, *args: object, **values: object) -> None:
        """Pass an event to its listeners, but not that a command is complete because the bot's end cancelled it."""
        if not self._has_ended:
            super().dispatch(event, *args, **values)

    async def on_shard_connect(self, shard_id: int) -> None:
        """Note that a session began: other shards need not wait any longer for theirs."""
        self._in_session.add(shard_id)
        self._run_until_close(self.find(IdentifyBudget).record_session(), name="record session")

    async def on_shard_resumed(self, shard_id: int) -> None:
        """Note that a session goes on."""
        self._in_session.add(shard_id)

    @staticmethod
    async def _db_setup() -> None:
        """Do nothing: ezcord would read `.env` into the process's environment."""

    async def on_error(self, event_method: str, *_args: object, **_kwargs: object) -> None:
        """Log what a listener raised."""
        log.error("listener.failed", listener=event_method, exc_info=sys.exception())

    async def on_application_command_error(
        self, context: discord.ApplicationContext, exception: discord.DiscordException
    ) -> None:
        """Reply to a command that raised."""
        name = context.command.qualified_name if context.command is not None else "?"
        await self.reply_error(context.interaction, exception, command=name)

    async def on_view_error(
        self, error: Exception, item: discord.ui.Item[discord.ui.View], interaction: discord.Interaction
    ) -> None:
        """Reply to a button or menu whose callback raised."""
        await self.reply_error(interaction, error, component=type(item).__name__)

    async def on_unknown_application_command(self, interaction: discord.Interaction) -> None:
        """Reply to a command that Discord still shows and the bot no longer has."""
        log.warning("command.unknown", guild_id=interaction.guild_id)
        await self._reply(interaction, text(interaction, "errors.unknown_command"))

    async def reply_error(self, interaction: discord.Interaction, exception: Exception, **source: str) -> None:
        """Tell the user what helps them, and log the rest."""
        error = getattr(exception, "original", exception)
        if isinstance(error, discord.HTTPException) and error.code in {_UNKNOWN_INTERACTION, _ALREADY_ACKNOWLEDGED}:
            log.warning("command.answered_too_late", code=error.code, **source)
            return
        if isinstance(error, CommandOff):
            reply = text(interaction, "errors.command_off")
        elif isinstance(error, discord.CheckFailure | commands.CheckFailure):
            reply = text(interaction, "errors.not_allowed")
        elif isinstance(error, commands.CommandOnCooldown):
            reply = text(interaction, "errors.rate_limited")
        elif isinstance(error, Unavailable):
            reply = text(interaction, "errors.unavailable")
        elif isinstance(error, ServiceError):
            reply = problem(interaction, error)
        else:
            error_id = uuid4().hex[:12]
            log.error("command.failed", error_id=error_id, error=type(error).__name__, exc_info=error, **source)
            reply = text(interaction, "errors.failed", error_id=error_id)
        await self._reply(interaction, reply)

    async def _reply(self, interaction: discord.Interaction, reply: str) -> None:
        try:
            await emb.error(interaction, reply)
        except (discord.HTTPException, *CONNECTION_ERRORS) as error:
            log.warning("command.reply_failed", error=type(error).__name__)

    def connected(self, shard_id: int) -> bool:
        """Whether the bot is logged in, and this shard has a session on an open connection."""
        shard = self.get_shard(shard_id)
        has_session = self.is_ready() and shard_id in self._in_session
        return has_session and shard is not None and not shard.is_closed()

    def latency_of(self, shard_id: int) -> float | None:
        """The round-trip time to the gateway in seconds; None until it has been measured."""
        shard = self.get_shard(shard_id)
        return shard.latency if shard is not None and math.isfinite(shard.latency) else None
