"""The block list: guilds that the bot leaves whenever it is added to them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final
from uuid import UUID

from bongsu.contracts.blocked_guilds import BlockedGuildItem
from bongsu.contracts.rpc import guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.models import User
from bongsu.mixins import Database, is_unavailable
from bongsu.runtime.background import in_background
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.id_pages import page_by_id
from bongsu.runtime.logging import get_logger
from bongsu_bot.blocked_guilds.models import BlockedGuild
from bongsu_bot.errors import needs_database
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.guilds.models import Guild
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.service import mark_left
from bongsu_bot.history.service import record_change

log = get_logger(__name__)
_RETRY_MAX_S: Final = 60.0


class BlockedGuilds:
    """Blocks guilds, and leaves those that are blocked, in the background: until Discord has answered.

    :param retry_s: the first pause after Discord or the database did not answer; it doubles up to a minute.
    """

    def __init__(
        self,
        database: Database,
        directory: GuildDirectory,
        authority: Authority,
        recorder: GuildRecorder,
        *,
        retry_s: float = 1.0,
    ) -> None:
        self._database = database
        self._directory = directory
        self._authority = authority
        self._recorder = recorder
        self._retry_s = retry_s
        self._unchecked: set[int] = set()
        self._is_due = asyncio.Event()

    async def block(self, actor_id: UUID, guild_id: int, reason: str) -> BlockedGuild:
        """Block a guild, which the bot then leaves. One that is blocked stays as it is.

        :raises NotAnAdministrator, BotNotReady: as `Authority.require_administrator`.
        """
        await self._authority.require_administrator(actor_id)
        async with needs_database():
            blocked = await self._database.run(_block, actor_id, guild_id, reason)
        self.check(guild_id)
        return blocked

    async def unblock(self, actor_id: UUID, guild_id: int) -> bool:
        """Take a guild off the list; return whether it was on it.

        :raises NotAnAdministrator, BotNotReady: as `Authority.require_administrator`.
        """
        await self._authority.require_administrator(actor_id)
        async with needs_database():
            return await self._database.run(_unblock, actor_id, guild_id)

    def check(self, *guild_ids: int) -> None:
        """Leave those of the guilds that are blocked, soon."""
        self._unchecked.update(guild_ids)
        self._is_due.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Leave blocked guilds while the block runs."""
        async with in_background(self._run(), name="blocked guilds"):
            yield

    async def _run(self) -> None:
        pause_s = self._retry_s
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            checked, self._unchecked = self._unchecked, set()
            try:
                await self._leave_blocked(checked)
                pause_s = self._retry_s
            except Exception as error:
                if not isinstance(error, ServiceError) and not is_unavailable(error):
                    log.exception("guild.block_not_enforced", error=type(error).__name__)
                self.check(*checked)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_MAX_S)

    async def _leave_blocked(self, guild_ids: Collection[int]) -> None:
        for guild_id in await BlockedGuild.filter_by(id__in=list(guild_ids)).order_by("id").pluck("id"):
            await self._directory.leave(guild_id)
            log.info("guild.blocked_left", guild_id=guild_id)
            # The gateway may be down, and then reports nothing.
            self._recorder.record([], mark_left, guild_id)


async def _block(actor_id: UUID, guild_id: int, reason: str) -> BlockedGuild:
    blocked, is_new = await BlockedGuild.get_or_create({"reason": reason, "blocked_by": actor_id}, id=guild_id)
    if is_new:
        await record_change(guild_id, "blocked", actor_id=actor_id)
        await audit.record("guild.blocked", Actor(actor_id), target=guild_target(guild_id), details={"reason": reason})
    return blocked


async def _unblock(actor_id: UUID, guild_id: int) -> bool:
    if not await BlockedGuild.filter_by(id=guild_id).delete():
        return False
    await record_change(guild_id, "unblocked", actor_id=actor_id)
    await audit.record("guild.unblocked", Actor(actor_id), target=guild_target(guild_id))
    return True


async def find(ids: Collection[int]) -> Sequence[BlockedGuildItem]:
    """Return those of the guilds that are blocked."""
    return await _described(await BlockedGuild.filter_by(id__in=list(ids)).order_by("id").all())


async def list_page(*, after: int, limit: int) -> tuple[Sequence[BlockedGuildItem], int | None]:
    """Return a page of the list, by ID, and the ID after which the following page starts."""
    page, following = await page_by_id(BlockedGuild.query(), limit=limit, after=after, newest_first=False)
    return await _described(page), following


async def _described(blocked: Sequence[BlockedGuild]) -> Sequence[BlockedGuildItem]:
    names = dict(await Guild.filter_by(id__in=[one.id for one in blocked]).values_list("id", "name"))
    blockers = await User.filter_by(id__in=[one.blocked_by for one in blocked if one.blocked_by is not None]).all()
    users = {user.id: user.name or user.email_norm for user in blockers}
    return [
        BlockedGuildItem(
            id=one.id,
            name=names.get(one.id),
            reason=one.reason,
            blocked_by=users.get(one.blocked_by) if one.blocked_by is not None else None,
            blocked_at=one.created_at,
        )
        for one in blocked
    ]
