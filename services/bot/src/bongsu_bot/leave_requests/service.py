"""Leaving a guild on a user's behalf, once for each request."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from bongsu.contracts.audit import AuditAction
from bongsu.contracts.rpc import guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.mixins import Database, utc_now
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_bot.errors import GuildNotFound, IdempotencyKeyReused, RequestOutdated
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.guilds.port import GuildDirectory
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.service import mark_left
from bongsu_bot.leave_requests.models import LeaveRequest

log = get_logger(__name__)
CLAIM_S: Final = 20.0
"""Longer than a request may take: after it, the process that claimed the request is gone."""
_POLL_S = 0.1
RECORDED_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A request's row. `is_own`: the caller has to fulfil it. `is_retry`: an earlier attempt may have succeeded."""

    request: LeaveRequest
    is_own: bool
    is_retry: bool


class LeaveRequests:
    """Leaves guilds. It opens its own units of work, because it calls Discord between them."""

    def __init__(
        self, database: Database, directory: GuildDirectory, authority: Authority, recorder: GuildRecorder
    ) -> None:
        self._database = database
        self._authority = authority
        self._directory = directory
        self._recorder = recorder
        self._leaving: set[asyncio.Task[datetime]] = set()

    async def leave(self, actor_id: UUID, guild_id: int, key: str, *, as_administrator: bool = False) -> datetime:
        """Leave a guild, and return when the bot left it: the same time for the same user and key.

        If the caller's deadline cancels this while Discord is leaving the guild, the work goes on and its outcome is
        stored: a later request with the same key returns it.

        :param as_administrator: the user acts as an administrator of the project, and need not manage the guild.
        :raises NotAnAdministrator: the user has a lower role.
        :raises NotLinked: the user has no Discord account.
        :raises NotAManager: the user does not manage the guild.
        :raises GuildNotFound: the bot is not in the guild.
        :raises IdempotencyKeyReused: the key was used for another guild.
        :raises RequestOutdated: the key was used to leave this guild, and the bot has been added again since.
        :raises Unavailable: Discord does not answer; the outcome is unknown.
        """
        claim = await self._wait_for_claim(actor_id, guild_id, key)
        if claim.request.left_at is not None:
            await self._require_absence(guild_id)
            return claim.request.left_at
        try:
            is_member = await self._authorise(claim, as_administrator=as_administrator)
        except BaseException as error:
            is_refused = isinstance(error, ServiceError) and not isinstance(error, Unavailable)
            await self._database.run(_delete if is_refused else _release, claim.request)
            raise
        work = self._leave(claim.request, is_member=is_member, as_administrator=as_administrator)
        leaving = asyncio.create_task(work, name=f"leave guild {guild_id}")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._finish)
        return await asyncio.shield(leaving)

    async def _wait_for_claim(self, actor_id: UUID, guild_id: int, key: str) -> Claim:
        """Claim the request, or wait until its owner has fulfilled it. The caller's deadline ends the wait."""
        while True:
            claim = await self._database.run(_claim, actor_id, guild_id, key)
            if claim.is_own or claim.request.left_at is not None:
                return claim
            await asyncio.sleep(_POLL_S)

    async def _require_absence(self, guild_id: int) -> None:
        try:
            await self._directory.get_permissions(guild_id)
        except GuildNotFound:
            return
        raise RequestOutdated

    async def _authorise(self, claim: Claim, *, as_administrator: bool) -> bool:
        """Check the user's authority, and return whether the bot still is in the guild, as Discord says now."""
        guild_id, actor_id = claim.request.guild_id, claim.request.actor_id
        if as_administrator:
            await self._authority.require_administrator(actor_id)
        try:
            if as_administrator:
                await self._directory.get_permissions(guild_id)
            else:
                await self._authority.require_for_guild(guild_id, actor_id)
        except GuildNotFound:
            if claim.is_retry:
                return False  # the earlier attempt left the guild, and its answer was lost
            raise
        return True

    async def _leave(self, request: LeaveRequest, *, is_member: bool, as_administrator: bool) -> datetime:
        if is_member:
            try:
                await self._directory.leave(request.guild_id)
            except Unavailable:
                await self._database.run(_release, request)
                raise
        left_at = datetime.now(UTC)
        log.info("guild.leave_done", guild_id=request.guild_id, actor_id=str(request.actor_id))
        await self._database.run(_complete, request, left_at, "guild.expelled" if as_administrator else "guild.left")
        # The gateway may be down, and then reports nothing.
        recorded = self._recorder.record([], mark_left, request.guild_id)
        # The caller's next look at the list finds the guild gone. If the database is away, it has to wait for that.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECORDED_WITHIN_S):
                await recorded.wait()
        return left_at

    def _finish(self, leaving: "asyncio.Task[datetime]") -> None:
        self._leaving.discard(leaving)
        if not leaving.cancelled() and (error := leaving.exception()) is not None:
            log.warning("guild.leave_failed", error=type(error).__name__, reason=str(error))


async def _claim(actor_id: UUID, guild_id: int, key: str) -> Claim:
    found, is_new = await LeaveRequest.get_or_create(
        {"guild_id": guild_id, "claimed_until": utc_now(CLAIM_S)}, actor_id=actor_id, idempotency_key=key
    )
    if found.guild_id != guild_id:
        raise IdempotencyKeyReused
    if is_new or found.left_at is not None:
        return Claim(found, is_own=is_new, is_retry=False)
    claimed = await LeaveRequest.filter_by(id=found.id, left_at=None, claimed_until__lt=utc_now()).update(
        claimed_until=utc_now(CLAIM_S)
    )
    return Claim(found, is_own=claimed == 1, is_retry=True)


async def _complete(request: LeaveRequest, left_at: datetime, action: AuditAction) -> None:
    await LeaveRequest.filter_by(id=request.id).update(left_at=left_at)
    await audit.record(action, Actor(request.actor_id), target=guild_target(request.guild_id))


async def _release(request: LeaveRequest) -> None:
    """Let the next attempt claim the request at any time: the outcome of this one is unknown."""
    await LeaveRequest.filter_by(id=request.id, left_at=None).update(claimed_until=utc_now())


async def _delete(request: LeaveRequest) -> None:
    """Forget a request that was refused, so that it can be made again."""
    await LeaveRequest.filter_by(id=request.id, left_at=None).delete()
