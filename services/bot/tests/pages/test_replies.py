"""Buttons to the previous and the next page."""

from typing import Any

from bongsu.mixins import utc_now
from bongsu_bot.pages.models import PagedReply
from services.bot.tests.api_server import ApiServer
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import JAMES, SEOUL_DEVELOPERS, Discord

FIRST, SECOND = (f"0197c2a4-1f00-7000-8000-00000000000{number}" for number in range(2))
ADDRESS = "jiwoo"


def page(account_id: str, following: str | None) -> tuple[int, dict[str, Any]]:
    account = {"id": account_id, "email": None, "name": None, "role": "user", "status": "active"}
    return 200, {"items": [account], "next": following}


async def find(discord: Discord) -> dict[str, Any]:
    options = {"address": ADDRESS}
    return await discord.give("users find", user_id=JAMES, unregistered=True, options=options)


class TestButtons:
    async def test_buttons_work_after_a_restart_with_the_options_of_the_command(
        self, discord: Discord, api_server: ApiServer, start_bot: StartBot
    ) -> None:
        api_server.answers["GET /auth/users"] = [page(FIRST, FIRST), page(SECOND, None), page(FIRST, FIRST)]
        async with start_bot():
            answered = await find(discord)
        async with start_bot():
            turned = await discord.press(answered, "Next")
            assert SECOND in str(turned["answers"][0]["embeds"])
            back = await discord.press(turned, "Previous")
            assert FIRST in str(back["answers"][0]["embeds"])
        queries = [dict(request.url.params) for request in api_server.requests]
        filters = {"q": ADDRESS, "limit": "5"}
        assert queries == [filters, filters | {"after": FIRST}, filters]

    async def test_button_of_an_old_reply_says_so(
        self, discord: Discord, api_server: ApiServer, start_bot: StartBot
    ) -> None:
        api_server.answers["GET /auth/users"] = [page(FIRST, FIRST)]
        async with start_bot():
            answered = await find(discord)
            await PagedReply.query().unfiltered().update(created_at=utc_now(-25 * 3600))
            pressed = await discord.press(answered, "Next")
        assert "Run the command again" in str(pressed["answers"])
        assert len(api_server.requests) == 1

    async def test_reply_of_another_user_is_not_found(
        self, discord: Discord, api_server: ApiServer, start_bot: StartBot
    ) -> None:
        api_server.answers["GET /auth/users"] = [page(FIRST, FIRST)]
        async with start_bot():
            answered = await find(discord)
            await PagedReply.query().unfiltered().update(discord_user_id=SEOUL_DEVELOPERS)
            pressed = await discord.press(answered, "Next")
        assert "Run the command again" in str(pressed["answers"])
