import pytest

from services.bot.tests.actors import PUBLIC_URL
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import JAMES, MINJI, Discord


@pytest.mark.usefixtures("bot")
class TestLink:
    @pytest.mark.parametrize(
        ("role", "user", "reply"),
        [(None, JAMES, "isn't linked yet"), ("staff", JAMES, "Your role is **staff**"), ("staff", MINJI, "**직원**")],
    )
    async def test_link_leads_to_the_page_and_says_what_is_linked(
        self, discord: Discord, api_server: ApiServer, role: str | None, user: int, reply: str
    ) -> None:
        api_server.role = role
        answered = await discord.give("link", user_id=str(user), unregistered=True)
        assert answered["ephemeral"]
        content = answered["answers"][0]["content"]
        assert reply in content
        assert f"{PUBLIC_URL}/account" in content
