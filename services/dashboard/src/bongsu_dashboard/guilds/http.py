"""The guild directory over auth's HTTP API."""

from collections.abc import Iterator
from contextlib import contextmanager

from bongsu.contracts.rpc import BOT_AUDIENCE, guild_target
from bongsu.runtime.errors import Conflict, NotFound
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.errors import DiscordNotLinked, GuildNotFound
from bongsu_dashboard.guilds.guild import ManagedGuild, ManagedGuilds
from bongsu_dashboard.upstream import Received, Upstream


class _Guild(ManagedGuild):
    manageable: bool


class _Guilds(ManagedGuilds):
    items: tuple[_Guild, ...]


class _Install(Received):
    authorization_url: str


class _Assertion(Received):
    assertion: str


@contextmanager
def _link_needed() -> Iterator[None]:
    """:raises DiscordNotLinked: auth answers that Discord has to be linked, or linked again."""
    try:
        yield
    except Conflict as error:
        raise DiscordNotLinked(again=error.code == "discord_relink_needed") from error


class HttpGuildDirectory:
    """Implements `GuildDirectory`."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def list_managed(self, browser: Browser, *, fresh: bool) -> ManagedGuilds:
        query = {"fresh": "true"} if fresh else None
        with _link_needed():
            reply = await self._auth.call(browser, "GET", "/auth/identities/discord/guilds", query=query)
        found = reply.parse(_Guilds)
        mine = tuple(guild for guild in found.items if guild.manageable)
        others = tuple(guild for guild in found.items if not guild.manageable)
        return ManagedGuilds(items=mine, others=others, fetched_at=found.fetched_at, stale=found.stale)

    async def create_install(self, browser: Browser, guild_id: int, next_path: str) -> Redirect:
        body = {"guild_id": str(guild_id), "next": next_path}
        try:
            with _link_needed():
                reply = await self._auth.call(browser, "POST", "/auth/discord/installs", body=body)
        except NotFound as error:
            raise GuildNotFound from error
        return Redirect(reply.parse(_Install).authorization_url, reply.cookies)

    async def create_assertion(self, browser: Browser, *, method: str, guild_id: int) -> str:
        body = {"audience": BOT_AUDIENCE, "method": method, "target": guild_target(guild_id)}
        return (await self._auth.call(browser, "POST", "/auth/assertions", body=body)).parse(_Assertion).assertion
