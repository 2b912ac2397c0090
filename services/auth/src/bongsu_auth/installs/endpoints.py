"""Adding the bot to a Discord guild; the callback is the provider's (`oauth/endpoints.py`)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bongsu.identity import audit
from bongsu.identity.dependencies import Caller, require_account
from bongsu.runtime.problems import problems
from bongsu_auth.installs.schemas import InstallIn
from bongsu_auth.oauth.endpoints import put_flow
from bongsu_auth.oauth.schemas import AuthorizationUrl
from bongsu_auth.oauth.states import Purpose
from bongsu_auth.wiring import Wiring

PROVIDER = "discord"
# With `identify` Discord insists on the code grant, so that the guild is told to us and not only to the browser.
SCOPES = ("bot", "applications.commands", "identify")

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth/discord", tags=["discord"])

    @router.post("/installs", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def install(body: InstallIn, caller: Account, response: Response) -> AuthorizationUrl:
        """Add the bot to a server that you manage: send the browser to `authorization_url`.

        It comes back to `next` with `installed=<guild id>`, the server to which the bot was added by what Discord
        tells us; or with `error=<code>`. A server that you do not manage, by what Discord says now, is 404.
        """
        wiring.flows.provider(PROVIDER)
        guild = await wiring.guilds.require_manageable(caller.user_id, body.guild_id)
        departure = await wiring.flows.begin(
            Purpose(PROVIDER, "install", body.next, caller.user_id, caller.session_id),
            scopes=SCOPES,
            more={
                "permissions": str(wiring.settings.discord_permissions),
                "guild_id": guild.id,
                "disable_guild_select": "true",
            },
        )

        async def noted() -> None:
            target = f"discord_guild:{guild.id}"
            await audit.record("discord.install_begun", caller.actor, subject_id=caller.user_id, target=target)

        await wiring.database.run(noted)
        put_flow(wiring, response, departure)
        return AuthorizationUrl(authorization_url=departure.authorization_url)

    return router
