"""`/`."""

from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.guilds.endpoints import GuildPages
from bongsu_dashboard.home.service import Home
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(
    render: Rendering,
    _user: SignedIn,
    home: Annotated[Home, Provided(Home)],
    guild_pages: Annotated[GuildPages, Provided(GuildPages)],
) -> Response:
    overview = await home.load_overview(render.browser, pending=frozenset(guild_pages.pending(render)))
    return render("home/home.html", overview=overview, summary=overview.summary, bot_count=overview.bot_count)
