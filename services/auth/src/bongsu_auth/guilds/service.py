"""The guilds of a user, as Discord tells them: asked for once a minute at most, and by one request at a time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from bongsu.identity.models import LinkedAccount
from bongsu.runtime.errors import Unavailable
from bongsu_auth.errors import DiscordNotLinked, DiscordRelinkNeeded, GuildNotFound
from bongsu_auth.guilds.port import Guild, GuildSource
from bongsu_auth.oauth.grants import GrantLost, Grants
from bongsu_auth.oauth.port import Provider, ProviderFailed, ProviderUnavailable

PROVIDER = "discord"
SCOPE = "guilds"
KEPT_S = 60.0
STALE_S = 600.0
"""While Discord does not answer, what it said this long ago is better than nothing, for looking only."""
WAIT_S = 5.0
"""How long Discord is left alone after a failure that does not say."""
MAX_USERS = 2000


class GuildProvider(Provider, GuildSource, Protocol):
    """Discord: it signs users in, and knows their guilds."""


@dataclass(frozen=True, slots=True)
class Guilds:
    """A user's guilds, when they were asked for, and whether Discord could not be asked since."""

    items: tuple[Guild, ...]
    fetched_at: datetime
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    guilds: Guilds
    at: float


class GuildDirectory:
    """Knows users' guilds.

    :param discord: None where it is not configured.
    :param monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        discord: GuildProvider | None,
        grants: Grants,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._discord = discord
        self._grants = grants
        self._monotonic = monotonic
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()
        self._flights: dict[UUID, asyncio.Task[Guilds]] = {}
        self._closed_until: dict[UUID | None, float] = {}
        """When Discord may be asked again for an account (None: for any)."""

    async def of(self, user_id: UUID, *, fresh: bool = False) -> Guilds:
        """A user's guilds; call it outside of a unit of work.

        :param fresh: do not make do with what was asked for a moment ago: for what changes something.
        :raises DiscordNotLinked: the user has not linked Discord, or it is not configured.
        :raises DiscordRelinkNeeded: they have to allow it again.
        :raises Unavailable: Discord does not answer, or asks to wait.
        """
        linked = await LinkedAccount.filter_by(user_id=user_id, provider=PROVIDER).first()
        if linked is None or self._discord is None:
            raise DiscordNotLinked
        if linked.sealed_access_token is None or SCOPE not in linked.scopes.split():
            raise DiscordRelinkNeeded
        kept = self._kept.get(linked.id)
        age_s = self._monotonic() - kept.at if kept is not None else None
        if kept is not None and age_s is not None and age_s < KEPT_S and not fresh:
            return kept.guilds
        try:
            return await self._fetched(linked, self._discord)
        except ProviderUnavailable as error:
            if kept is not None and age_s is not None and age_s < STALE_S and not fresh:
                return Guilds(kept.guilds.items, kept.guilds.fetched_at, stale=True)
            raise Unavailable(
                "Discord does not answer; try again",
                code="discord_unavailable",
                retry_after_s=error.retry_after_s or WAIT_S,
            ) from error
        except GrantLost:
            raise DiscordRelinkNeeded from None
        except ProviderFailed as error:
            raise Unavailable(
                "Discord answers with errors; try again", code="discord_unavailable", retry_after_s=WAIT_S
            ) from error

    async def require_manageable(self, user_id: UUID, guild_id: str) -> Guild:
        """The guild, if the user manages it by what Discord says now.

        :raises GuildNotFound: they do not, or there is none.
        :raises bongsu.runtime.errors.ServiceError: as `of`.
        """
        for guild in (await self.of(user_id, fresh=True)).items:
            if guild.id == guild_id and guild.manageable:
                return guild
        raise GuildNotFound

    async def _fetched(self, linked: LinkedAccount, discord: GuildProvider) -> Guilds:
        self._require_open(linked.id)
        flight = self._flights.get(linked.id)
        if flight is None:
            # A task of its own, so that none of those who wait ends it for the rest by leaving.
            flight = asyncio.create_task(self._fetch(linked, discord), name="guilds")
            self._flights[linked.id] = flight
            flight.add_done_callback(partial(self._landed, linked.id))
        return await asyncio.shield(flight)

    async def _fetch(self, linked: LinkedAccount, discord: GuildProvider) -> Guilds:
        asked_at, fetched_at = self._monotonic(), datetime.now(UTC)
        try:
            items = await self._grants.use(linked, discord, discord.guilds)
        except ProviderUnavailable as error:
            wait_s = error.retry_after_s if error.retry_after_s is not None else WAIT_S
            self._closed_until[None if error.everyone else linked.id] = self._monotonic() + wait_s
            raise
        guilds = Guilds(items, fetched_at)
        self._kept[linked.id] = _Kept(guilds, asked_at)
        self._kept.move_to_end(linked.id)
        if len(self._kept) > MAX_USERS:
            self._kept.popitem(last=False)
        return guilds

    def _landed(self, linked_id: UUID, flight: asyncio.Task[Guilds]) -> None:
        self._flights.pop(linked_id, None)
        if not flight.cancelled():
            flight.exception()  # so that nobody waiting any more is no warning

    def _require_open(self, linked_id: UUID) -> None:
        now = self._monotonic()
        self._closed_until = {key: until for key, until in self._closed_until.items() if until > now}
        left_s = max((self._closed_until.get(key, now) - now for key in (None, linked_id)), default=0.0)
        if left_s > 0:
            raise ProviderUnavailable("discord asks to wait", retry_after_s=left_s)
