"""The caller's Discord guilds."""

from typing import Annotated

from fastapi import APIRouter, Query

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.guilds.schemas import GuildPage
from bongsu_auth.guilds.service import UserGuilds
from bongsu_auth.sessions.backend import Account

router = APIRouter(prefix="/auth/identities/discord", tags=["discord"])


@router.get("/guilds", responses=problems(401, 403, 409, 422, 503))
async def list_guilds(
    caller: Account,
    guilds: Annotated[UserGuilds, Provided(UserGuilds)],
    fresh: Annotated[bool, Query(description="Fetch the list from Discord now, not a list of the last minute")] = False,
) -> GuildPage:
    """List the Discord servers that you are in, and which of them you can manage.

    409 `discord_not_linked`: link Discord first. 409 `discord_relink_needed`: link it again.
    """
    return GuildPage.model_validate(await guilds.list_guilds(caller.user_id, fresh=fresh))
