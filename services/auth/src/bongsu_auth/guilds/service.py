"""A user's guilds, fetched from Discord at most once a minute, by one request at a time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
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
CACHED_S = 60.0
STALE_S = 600.0
"""How old a cached list may be that is shown while Discord does not answer. It authorises nothing."""
WAIT_S = 5.0
"""How long to wait after a failure that does not say."""
MAX_USERS = 2000


class GuildProvider(Provider, GuildSource, Protocol):
    """Discord's backend."""


@dataclass(frozen=True, slots=True)
class Guilds:
    """A user's guilds, the time at which they were fetched, and whether Discord has not answered since."""

    items: tuple[Guild, ...]
    fetched_at: datetime
    stale: bool = False


class UserGuilds:
    """Fetches and caches users' guilds. Its methods open no unit of work, and must not run in one.

    :param discord: None if it is not configured.
    :param monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self, discord: GuildProvider | None, grants: Grants, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._discord = discord
        self._grants = grants
        self._monotonic = monotonic
        self._cache: OrderedDict[UUID, tuple[Guilds, float]] = OrderedDict()
        """Each account's list, and the `monotonic` time of its request."""
        self._requests: dict[UUID, asyncio.Task[Guilds]] = {}
        self._closed_until: dict[UUID | None, float] = {}
        """When the next request for an account (None: for any) may be made."""

    async def list_guilds(self, user_id: UUID, *, fresh: bool = False) -> Guilds:
        """Return a user's guilds.

        :param fresh: fetch them now, for a request that changes something.
        :raises DiscordNotLinked: the user has not linked Discord, or it is not configured.
        :raises DiscordRelinkNeeded: Discord no longer accepts the user's tokens.
        :raises Unavailable: Discord does not answer, or throttles.
        """
        linked = await LinkedAccount.filter_by(user_id=user_id, provider=PROVIDER).first()
        if linked is None or self._discord is None:
            raise DiscordNotLinked
        if linked.sealed_access_token is None or SCOPE not in linked.scopes.split():
            raise DiscordRelinkNeeded
        cached, requested_at = (None, 0.0) if fresh else self._cache.get(linked.id, (None, 0.0))
        age_s = self._monotonic() - requested_at
        if cached is not None and age_s < CACHED_S:
            return cached
        try:
            return await self._fetch_once(linked, self._discord)
        except ProviderUnavailable as error:
            if cached is not None and age_s < STALE_S:
                return replace(cached, stale=True)
            raise Unavailable(
                "Discord does not answer. Try again later.",
                code="discord_unavailable",
                retry_after_s=error.retry_after_s or WAIT_S,
            ) from error
        except GrantLost:
            raise DiscordRelinkNeeded from None
        except ProviderFailed as error:
            raise Unavailable(
                "Discord answers with errors. Try again later.", code="discord_unavailable", retry_after_s=WAIT_S
            ) from error

    async def require_manageable(self, user_id: UUID, guild_id: str) -> Guild:
        """Return a guild that the user manages, as Discord says now.

        :raises GuildNotFound: the user does not manage a guild with this ID.
        :raises bongsu.runtime.errors.ServiceError: as `list_guilds`.
        """
        for guild in (await self.list_guilds(user_id, fresh=True)).items:
            if guild.id == guild_id and guild.manageable:
                return guild
        raise GuildNotFound

    async def _fetch_once(self, linked: LinkedAccount, discord: GuildProvider) -> Guilds:
        self._require_open(linked.id)
        request = self._requests.get(linked.id)
        if request is None:
            # A task of its own: a caller that disconnects must not cancel it for the others.
            request = asyncio.create_task(self._fetch(linked, discord), name="guilds")
            self._requests[linked.id] = request
            request.add_done_callback(partial(self._forget_request, linked.id))
        return await asyncio.shield(request)

    async def _fetch(self, linked: LinkedAccount, discord: GuildProvider) -> Guilds:
        started_at, fetched_at = self._monotonic(), datetime.now(UTC)
        try:
            items = await self._grants.use(linked, discord, discord.list_guilds)
        except ProviderUnavailable as error:
            wait_s = error.retry_after_s if error.retry_after_s is not None else WAIT_S
            self._closed_until[None if error.is_global else linked.id] = self._monotonic() + wait_s
            raise
        guilds = Guilds(items, fetched_at)
        self._cache[linked.id] = (guilds, started_at)
        self._cache.move_to_end(linked.id)
        if len(self._cache) > MAX_USERS:
            self._cache.popitem(last=False)
        return guilds

    def _forget_request(self, linked_id: UUID, request: asyncio.Task[Guilds]) -> None:
        self._requests.pop(linked_id, None)
        if not request.cancelled():
            request.exception()  # marks it as retrieved: every caller may have disconnected

    def _require_open(self, linked_id: UUID) -> None:
        now = self._monotonic()
        self._closed_until = {key: until for key, until in self._closed_until.items() if until > now}
        left_s = max((self._closed_until.get(key, now) - now for key in (None, linked_id)), default=0.0)
        if left_s > 0:
            raise ProviderUnavailable("discord throttles", retry_after_s=left_s)
