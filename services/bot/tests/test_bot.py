import discord as pycord
import pytest
from structlog.testing import capture_logs

from bongsu.runtime.errors import Conflict, Unavailable
from bongsu_bot.ping.cog import PingCog
from services.bot.tests.discord import JAMES, Discord

pytestmark = pytest.mark.usefixtures("bot")


class TestErrors:
    @pytest.fixture(autouse=True)
    def failing(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        async def fail(_cog: object, context: pycord.ApplicationContext) -> None:
            await context.defer(ephemeral=True)
            raise error

        monkeypatch.setattr(PingCog.ping, "callback", fail)

    @pytest.mark.parametrize("error", [RuntimeError("password=hunter2 at /srv/app.py")])
    async def test_the_user_sees_an_id_and_the_log_the_rest(self, discord: Discord) -> None:
        with capture_logs() as logs:
            answer = await discord.give("ping", unregistered=True)
        (entry,) = [entry for entry in logs if entry["event"] == "command.failed"]
        (shown,) = answer["answers"]
        assert shown["ephemeral"]
        assert entry["error_id"] in shown["content"]
        assert "hunter2" not in shown["content"]
        assert entry["error"] == "RuntimeError"

    @pytest.mark.parametrize("error", [Conflict("This server has that already")])
    async def test_an_expected_error_is_shown(self, discord: Discord) -> None:
        answer = await discord.give("ping", unregistered=True)
        assert answer["answers"][0]["content"] == "This server has that already"

    @pytest.mark.parametrize("error", [Unavailable("db-7.internal is down")])
    async def test_what_is_down_is_not_named(self, discord: Discord) -> None:
        answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert "internal" not in answer["answers"][0]["content"]


class TestUnknownCommand:
    async def test_it_is_answered(self, discord: Discord) -> None:
        answer = await discord.give("gone", unregistered=True)
        assert answer["status"] == "answered"
        assert answer["ephemeral"]
