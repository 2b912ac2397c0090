"""`/`."""

from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.guilds.pending import PendingInstalls
from bongsu_dashboard.home.service import Home
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(
    render: Rendering,
    _user: SignedIn,
    home: Annotated[Home, Provided(Home)],
    pending: Annotated[PendingInstalls, Provided(PendingInstalls)],
) -> Response:
    overview = await home.load_overview(render.browser, pending=pending.guild_ids(render))
    return render("home/home.html", overview=overview, summary=overview.summary, bot=overview.bot)
