import pytest

from bongsu.runtime.settings import SettingsError, load
from bongsu_bot.settings import DISCORD_API_URL, BotSettings


class TestShards:
    def test_own_shards_are_all_by_default(self) -> None:
        assert BotSettings(shards=3).own_shards == (0, 1, 2)

    def test_own_shards_are_those_of_the_setting(self) -> None:
        (settings,) = load(BotSettings, environ={"BOT_SHARDS": "4", "BOT_SHARD_IDS": "2, 0"})
        assert settings.own_shards == (0, 2)

    @pytest.mark.parametrize("wrong", ["4", "-1", "x"])
    def test_load_names_a_shard_that_does_not_exist(self, wrong: str) -> None:
        with pytest.raises(SettingsError, match=wrong):
            load(BotSettings, environ={"BOT_SHARDS": "4", "BOT_SHARD_IDS": f"0,{wrong}"})


class TestWithStandIns:
    def test_with_stand_ins_uses_the_sandbox_when_there_is_no_token(self) -> None:
        settings = BotSettings().with_stand_ins("http://127.0.0.1:8000")
        assert settings.api_url == "http://127.0.0.1:8000/sandbox/discord/api"
        assert settings.sync_commands

    def test_with_stand_ins_uses_discord_when_there_is_a_token(self) -> None:
        (settings,) = load(BotSettings, environ={"BOT_TOKEN": "real"})
        assert settings.with_stand_ins("http://127.0.0.1:8000").api_url == DISCORD_API_URL
