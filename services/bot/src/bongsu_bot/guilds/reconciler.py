"""Reconciles the stored guilds with Discord's list, after each new session and from time to time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from bongsu.runtime.background import in_background
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_bot.guilds import service
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.shards.assignment import ShardAssignment

log = get_logger(__name__)


class GuildReconciler:
    """Loads the list over REST, and retries with back-off until Discord returns it.

    The gateway does not report what happened between two sessions, nor how many members a guild has now.

    :param every_s: the longest time between two lists.
    :param retry_s: the first pause after a failure; it doubles up to `retry_max_s`.
    """

    def __init__(  # noqa: PLR0913 - three collaborators, three intervals
        self,
        directory: GuildDirectory,
        recorder: GuildRecorder,
        shards: ShardAssignment,
        *,
        every_s: float = 3600.0,
        retry_s: float = 1.0,
        retry_max_s: float = 60.0,
    ) -> None:
        self._directory = directory
        self._recorder = recorder
        self._shards = shards
        self._every_s = every_s
        self._retry_s = retry_s
        self._retry_max_s = retry_max_s
        self._requested = asyncio.Event()
        self._seen: set[int] = set()
        self._unavailable: frozenset[int] = frozenset()

    def request(self, unavailable: Collection[int]) -> None:
        """Reconcile now, because a session began. The guilds `unavailable` have an outage in it."""
        self._unavailable = frozenset(unavailable)
        self._requested.set()

    def see(self, guild_id: int) -> None:
        """Note that the gateway has reported of a guild: a list that was asked for before may not show it as it is."""
        self._seen.add(guild_id)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reconcile while the block runs."""
        async with in_background(self._run(), name="guild reconciler"):
            yield

    async def _run(self) -> None:
        await self._requested.wait()
        while True:
            self._requested.clear()
            await self._reconcile()
            await self._wait(self._every_s)

    async def _reconcile(self) -> None:
        pause_s = self._retry_s
        while True:
            self._seen.clear()
            try:
                listed = await self._directory.list_guilds()
            except Unavailable as error:
                log.warning("guilds.not_reconciled", error=str(error), retry_s=pause_s)
                await self._wait(pause_s)
                pause_s = min(pause_s * 2, self._retry_max_s)
                continue
            own = self._shards.own
            self._recorder.record(
                own,
                service.reconcile,
                listed,
                seen=frozenset(self._seen),
                unavailable=self._unavailable,
                own=own,
                shards=self._shards.total,
            )
            return

    async def _wait(self, seconds: float) -> None:
        """Wait, but not past the next request."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._requested.wait()
