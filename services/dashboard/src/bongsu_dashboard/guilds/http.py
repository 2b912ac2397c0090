"""The guild directory over auth's HTTP API."""

from collections.abc import Sequence

from bongsu.contracts.rpc import BOT_AUDIENCE, guild_target
from bongsu.runtime.errors import ServiceError
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import DiscordNotLinked
from bongsu_dashboard.guilds.schemas import ManagedGuild
from bongsu_dashboard.upstream import Received, Upstream

NOT_LINKED = frozenset({"discord_not_linked", "identity_not_linked", "not_linked"})


class _Guild(ManagedGuild):
    manages: bool = True


class _Guilds(Received):
    items: list[_Guild]


class _Install(Received):
    authorization_url: str


class _Assertion(Received):
    assertion: str


class HttpGuildDirectory:
    """Fulfils `GuildDirectory`."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def managed(self, browser: Browser, *, fresh: bool) -> Sequence[ManagedGuild]:
        """The guilds that the user manages."""
        query = {"fresh": "true"} if fresh else None
        try:
            reply = await self._auth.call(browser, "GET", "/auth/identities/discord/guilds", query=query)
        except ServiceError as error:
            if error.code in NOT_LINKED:
                raise DiscordNotLinked from error
            raise
        return [guild for guild in reply.parsed(_Guilds).items if guild.manages]

    async def install(self, browser: Browser, guild_id: int, next_path: str) -> str:
        """Where the browser has to go to add the bot."""
        body = {"guild_id": str(guild_id), "next": next_path}
        reply = await self._auth.call(browser, "POST", "/auth/discord/installs", body=body)
        return reply.parsed(_Install).authorization_url

    async def assertion(self, browser: Browser, *, method: str, guild_id: int) -> str:
        """The user's word, for one action."""
        body = {"audience": BOT_AUDIENCE, "method": method, "target": guild_target(guild_id)}
        return (await self._auth.call(browser, "POST", "/auth/assertions", body=body)).parsed(_Assertion).assertion
