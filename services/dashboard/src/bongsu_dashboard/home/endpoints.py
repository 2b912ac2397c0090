"""`/`."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Response

from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.errors import DiscordNotLinked
from bongsu_dashboard.guilds import service as guilds
from bongsu_dashboard.guilds.endpoints import GuildPages
from bongsu_dashboard.guilds.service import Guilds
from bongsu_dashboard.notifications.notification import Page
from bongsu_dashboard.notifications.service import LOOKED_AT, summarise
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.rendering import Render

RECENT = 5


def create_router(pages: GuildPages) -> APIRouter:
    """The route, for who is signed in."""
    router = APIRouter(include_in_schema=False)

    async def servers(render: Render) -> tuple[Guilds | None, bool]:
        """The guilds, and whether Discord is linked at all."""
        remembered = frozenset(pages.pending(render))
        try:
            found = await guilds.listed(pages.directory, pages.bot, render.browser, pending=remembered)
        except DiscordNotLinked:
            return None, False
        except Unavailable:
            return None, True
        return found, True

    async def newest(render: Render) -> Page | None:
        try:
            return await pages.notifications.listed(render.browser, limit=LOOKED_AT)
        except Unavailable:
            return None

    @router.get("/")
    async def home(render: Rendering, user: SignedIn) -> Response:
        (found, linked), page, count = await asyncio.gather(
            servers(render), newest(render), guilds.bot_count(pages.bot)
        )
        return render(
            "home/home.html",
            guilds=found,
            linked=linked,
            recent=page.items[:RECENT] if page is not None else None,
            summary=summarise(page, datetime.now(UTC)) if page is not None else None,
            bot_count=count,
            has_name=user.name is not None,
        )

    return router
