from bongsu.runtime.settings import load
from bongsu_bot.settings import DISCORD_API_URL, BotSettings


class TestWithStandIns:
    def test_with_stand_ins_uses_the_sandbox_when_there_is_no_token(self) -> None:
        settings = BotSettings().with_stand_ins("http://127.0.0.1:8000")
        assert settings.api_url == "http://127.0.0.1:8000/sandbox/discord/api"
        assert settings.sync_commands

    def test_with_stand_ins_uses_discord_when_there_is_a_token(self) -> None:
        (settings,) = load(BotSettings, environ={"BOT_TOKEN": "real"})
        assert settings.with_stand_ins("http://127.0.0.1:8000").api_url == DISCORD_API_URL
