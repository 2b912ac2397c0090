"""Leaving a guild on somebody's behalf."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from bongsu.contracts.rpc import GuildLeave, GuildLeaveRequest, guild_target
from bongsu.identity.assertions import AssertionRefused, AssertionVerifier
from bongsu.identity.models import LinkedAccount
from bongsu.identity.nonces import use_nonce
from bongsu.mixins import Database
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_bot.departures import service
from bongsu_bot.departures.models import Departure
from bongsu_bot.departures.service import Claim
from bongsu_bot.errors import AssertionNotAccepted, GuildNotFound, NotLinked
from bongsu_bot.guilds.authority import require_manager
from bongsu_bot.guilds.port import GuildDirectory

log = get_logger(__name__)
_LOOK_AGAIN_S = 0.1


class DepartureHandler:
    """Believes nobody: the assertion says who acts, and Discord says what they may."""

    def __init__(self, database: Database, directory: GuildDirectory, assertions: AssertionVerifier) -> None:
        self._database = database
        self._directory = directory
        self._assertions = assertions

    async def leave(self, request: GuildLeaveRequest) -> GuildLeave:
        """Leave the guild, once for each of the actor's idempotency keys.

        :raises ServiceError: refused or impossible, with the codes of `bongsu.contracts.rpc`.
        """
        actor_id = await self._actor(request)
        claim = await self._claimed(actor_id, request)
        left_at = claim.departure.left_at or await self._left(claim)
        return GuildLeave(guild_id=request.guild_id, left_at=left_at)

    async def _actor(self, request: GuildLeaveRequest) -> UUID:
        try:
            claims = await self._assertions.verify(
                request.assertion, method=request.method, target=guild_target(request.guild_id)
            )
        except AssertionRefused as error:
            log.warning("assertion.refused", method=request.method, guild_id=request.guild_id, reason=str(error))
            raise AssertionNotAccepted("The assertion is not good for this") from error
        if not await use_nonce("assertion", str(claims.jti)):
            log.warning("assertion.replayed", method=request.method, guild_id=request.guild_id)
            raise AssertionNotAccepted("The assertion was used before")
        return claims.sub

    async def _claimed(self, actor_id: UUID, request: GuildLeaveRequest) -> Claim:
        """The request's row, fulfilled or ours to fulfil. The caller's deadline ends the wait for another's."""
        while True:
            async with self._database.unit():
                claim = await service.claim(actor_id, request.idempotency_key, request.guild_id)
            if claim.ours or claim.departure.left_at is not None:
                return claim
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _left(self, claim: Claim) -> datetime:
        departure = claim.departure
        try:
            await self._leave_as(departure, attempted=claim.attempted)
        except Unavailable:
            async with self._database.unit():
                await service.give_back(departure)
            raise
        except ServiceError:
            async with self._database.unit():
                await service.abandon(departure)
            raise
        left_at = datetime.now(UTC)
        log.info("guild.leave_done", guild_id=departure.guild_id, actor_id=str(departure.actor_id))
        async with self._database.unit():
            await service.fulfil(departure, left_at)
        return left_at

    async def _leave_as(self, departure: Departure, *, attempted: bool) -> None:
        discord_id = await self._discord_id(departure.actor_id)
        try:
            await require_manager(self._directory, departure.guild_id, discord_id)
        except GuildNotFound:
            if not attempted:
                raise
            return  # the attempt before this one did it, and its answer was lost
        await self._directory.leave(departure.guild_id)

    async def _discord_id(self, user_id: UUID) -> int:
        subject = await LinkedAccount.find_subject(user_id, "discord")
        if subject is None:
            raise NotLinked("Link a Discord account first")
        return int(subject)
