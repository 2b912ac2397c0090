"""The Discord guilds of the caller."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bongsu.identity.dependencies import Caller, require_account
from bongsu.runtime.problems import problems
from bongsu_auth.guilds.port import Guild
from bongsu_auth.guilds.schemas import GuildOut, GuildPage
from bongsu_auth.wiring import Wiring

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/auth/identities/discord", tags=["discord"])

    @router.get("/guilds", responses=problems(401, 403, 409, 422, 503))
    async def guilds(
        caller: Account,
        fresh: Annotated[
            bool, Query(description="Ask Discord now, and not what it told within the last minute")
        ] = False,
    ) -> GuildPage:
        """The Discord servers that you are in, and which of them you may manage.

        409 `discord_not_linked`: link Discord first; `discord_relink_needed`: link it once more.
        """
        found = await wiring.guilds.of(caller.user_id, fresh=fresh)
        return GuildPage(items=[_shown(guild) for guild in found.items], fetched_at=found.fetched_at, stale=found.stale)

    return router


def _shown(guild: Guild) -> GuildOut:
    return GuildOut(
        id=guild.id,
        name=guild.name,
        icon=guild.icon,
        owner=guild.owner,
        permissions=str(guild.permissions),
        manageable=guild.manageable,
    )
