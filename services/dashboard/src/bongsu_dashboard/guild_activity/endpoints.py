"""`/guilds/{id}/activity`: a page, and the fragment that the server's page loads after it is shown."""

from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.guild_activity.service import Activity
from bongsu_dashboard.pages.dependencies import GuildId, Rendering, SignedIn

router = APIRouter(prefix="/guilds/{guild_id}/activity", include_in_schema=False)


@router.get("")
async def show_activity(
    render: Rendering,
    _user: SignedIn,
    activity: Annotated[Activity, Provided(Activity)],
    guild_id: GuildId,
) -> Response:
    found = await activity.load(render.browser, guild_id)
    return render(
        "guild_activity/activity.html", fragment="guild_activity/_activity.html", activity=found, guild=found.guild
    )
