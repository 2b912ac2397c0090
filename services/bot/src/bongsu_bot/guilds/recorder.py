"""Stores what the gateway reports about guilds: in order, with retries while the database is unavailable."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final, ParamSpec

from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, BrokerError, Message
from bongsu.contracts.guilds import GUILD_EVENT, GuildEvent
from bongsu.contracts.queues import GUILD_EVENTS
from bongsu.mixins import Database, MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger
from bongsu_bot.errors import ShardUnavailable
from bongsu_bot.shards.leases import ShardLeases

log = get_logger(__name__)
P = ParamSpec("P")
Change = Callable[[], Awaitable[Sequence[GuildEvent]]]
Queued = tuple[Change, asyncio.Event]

_RETRY_S: Final = 0.25
_RETRY_MAX_S: Final = 15.0
_ATTEMPT_S: Final = 30.0
"""A connection that went silent would hold up all changes for ever."""


class GuildRecorder:
    """Queues changes, makes each in its own unit of work, and broadcasts its events after the commit.

    A process that ends loses its queue: after the next login, the guilds are reconciled with Discord's list. A change
    is dropped when another process has taken over its shards: that process reports their guilds.
    """

    def __init__(self, database: Database, broker: Broker, leases: ShardLeases) -> None:
        self._database = database
        self._broker = broker
        self._leases = leases
        self._changes: asyncio.Queue[Queued] = asyncio.Queue()

    def record(
        self,
        shards: Collection[int],
        change: Callable[P, Awaitable[Sequence[GuildEvent]]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> asyncio.Event:
        """Queue a change of `guilds.service`, which may run more than once. The event is set when it is dealt with.

        :param shards: those of the guilds that it changes.
        """
        done = asyncio.Event()
        self._changes.put_nowait((partial(self._fenced, tuple(shards), partial(change, *args, **kwargs)), done))
        return done

    async def _fenced(self, shards: Collection[int], change: Change) -> Sequence[GuildEvent]:
        try:
            await self._leases.require(*shards)
        except ShardUnavailable:
            log.warning("guild.change_fenced", shards=sorted(shards))
            return ()
        return await change()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make the changes while the block runs."""
        async with in_background(self._run(), name="guild recorder"):
            yield

    async def _run(self) -> None:
        while True:
            change, done = await self._changes.get()
            try:
                events = await self._make(change)
                done.set()
                for event in events:
                    await self._broadcast(event)
            except Exception as error:
                # A defect in one change must not stop those after it.
                log.exception("guild.not_recorded", error=type(error).__name__)
            finally:
                done.set()

    async def _make(self, change: Change) -> Sequence[GuildEvent]:
        pause_s = _RETRY_S
        while True:
            try:
                async with asyncio.timeout(_ATTEMPT_S):
                    return await self._database.run(change)
            except (SQLAlchemyError, MixinError, OSError) as error:
                log.warning("guild.record_delayed", error=type(error).__name__, retry_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_MAX_S)

    async def _broadcast(self, event: GuildEvent) -> None:
        log.info(event.kind, guild_id=event.guild.id, status=event.guild.status)
        try:
            await self._broker.broadcast(GUILD_EVENTS, Message(body=GUILD_EVENT.dump_python(event, mode="json")))
        except BrokerError as error:
            # Subscribers can still ask for the guild's state.
            log.warning("guild.event_lost", kind=event.kind, guild_id=event.guild.id, error=str(error))
