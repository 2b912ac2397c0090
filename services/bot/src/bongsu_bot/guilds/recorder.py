"""Writes down what the gateway tells of guilds: in order, and again until the database takes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, BrokerError, Message
from bongsu.contracts.guilds import GUILD_EVENT, GuildEvent
from bongsu.contracts.queues import GUILD_EVENTS
from bongsu.mixins import Database, MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

Change = Callable[[], Awaitable[Sequence[GuildEvent | None]]]
"""One change, made in a unit of work; it may be made more than once."""

_RETRY_S = 0.25
_RETRY_MAX_S = 15.0


class GuildRecorder:
    """Takes changes at once and makes them one after the other. What it tells, the database holds already.

    What waits is lost with the process: at the next login everything is compared with what Discord says.
    """

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._changes: asyncio.Queue[Change] = asyncio.Queue()

    def record(self, change: Change) -> None:
        """Make this change, after the ones before it."""
        self._changes.put_nowait(change)

    async def settled(self) -> None:
        """Return when all changes have been made."""
        await self._changes.join()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make the changes for as long as the block runs."""
        async with in_background(self._run(), name="guild recorder"):
            yield

    async def _run(self) -> None:
        while True:
            change = await self._changes.get()
            try:
                for event in await self._made(change):
                    if event is not None:
                        await self._tell(event)
            except Exception as error:
                # Not this change, then: the next ones have to be made all the same.
                log.exception("guild.not_recorded", error=type(error).__name__)
            finally:
                self._changes.task_done()

    async def _made(self, change: Change) -> Sequence[GuildEvent | None]:
        pause_s = _RETRY_S
        while True:
            try:
                return await self._database.run(change)
            except (SQLAlchemyError, MixinError, OSError) as error:
                log.warning("guild.record_delayed", error=type(error).__name__, retry_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_MAX_S)

    async def _tell(self, event: GuildEvent) -> None:
        log.info(event.kind, guild_id=event.guild.id, status=event.guild.status)
        try:
            await self._broker.broadcast(GUILD_EVENTS, Message(body=GUILD_EVENT.dump_python(event, mode="json")))
        except BrokerError as error:
            # Who missed it asks: the events only save them the asking.
            log.warning("guild.event_lost", kind=event.kind, guild_id=event.guild.id, error=str(error))
