import time

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.bot.tests.conftest import StartBot, becomes
from services.bot.tests.discord import SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually


class TestLogin:
    async def test_the_bot_logs_in_with_one_identify(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            assert runner.connected(0)
            assert (await discord.state())["gateway"]["identifies"] == 1

    async def test_the_session_ends_with_the_bot(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            pass
        assert runner.state in {"stopped", "ready"}

        async def sessions_are_over() -> bool:
            return not any(session["connected"] for session in (await discord.state())["gateway"]["sessions"])

        await eventually(sessions_are_over)

    async def test_a_wrong_token_is_one_clear_line_and_no_retry(self, discord: Discord, start_bot: StartBot) -> None:
        with capture_logs() as logs:
            async with start_bot(until_ready=False, token=SecretStr("wrong")) as runner:
                await becomes(runner, "refused")
        assert runner.refusal is not None
        assert "BOT_TOKEN" in runner.refusal
        assert [entry["event"] for entry in logs if entry["log_level"] in {"error", "warning"}] == ["bot.refused"]
        assert (await discord.state())["rest"]["GET /users/@me"] == 1

    async def test_two_429s_are_waited_for(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "throttle", detail={"route": "/users/@me", "times": "2", "retry_after": "0.1"})
        async with start_bot():
            assert (await discord.state())["rest"]["GET /users/@me"] == 3

    async def test_a_429_from_the_proxy_is_tried_again_later(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "no_via", detail={"route": "/users/@me", "times": "1"})
        async with start_bot() as runner:
            assert runner.ready

    async def test_a_gateway_that_is_down_is_tried_again(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "reset", detail={"route": "/gateway", "times": "1"})
        async with start_bot() as runner:
            assert runner.ready

    async def test_a_login_that_never_completes_is_given_up_and_tried_again(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        await discord.fault("gateway", "hang")
        async with start_bot(until_ready=False, ready_timeout_s=0.5) as runner:
            await becomes(runner, "waiting")
            await discord.sandbox.clear_faults()
            # What comes next has no fault, and half a second may be too short for it on a slow machine.
            runner._settings = runner._settings.model_copy(update={"ready_timeout_s": 30.0})
            await becomes(runner, "ready")

    async def test_a_day_s_logins_are_not_spent(
        self, discord: Discord, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bongsu_sandbox.discord.gateway.hub.SESSION_STARTS", 5)
        with capture_logs() as logs:
            async with start_bot(until_ready=False) as runner:
                await eventually(lambda: "gateway.starts_spent" in [entry["event"] for entry in logs])
                assert not runner.ready
        assert (await discord.state())["gateway"]["identifies"] == 0


class TestReconnecting:
    @pytest.mark.parametrize("how", ["reset", "close", "reconnect"])
    async def test_a_dropped_connection_is_resumed(self, how: str, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot():
            assert await discord.drop(how) == 1
            await discord.until("gateway", "resumes", reaches=1)
            answer = await discord.give("ping")
            assert answer["status"] == "answered"
            assert (await discord.state())["gateway"]["identifies"] == 1

    async def test_what_happened_meanwhile_is_made_up_for(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            await discord.fault("discord", "unavailable", detail={"route": "/gateway", "times": "1"})
            await discord.drop("reset")
            await discord.guild(SEOUL_DEVELOPERS, name="서울 개발자들")
            await discord.until("gateway", "resumes", reaches=1)
            assert await discord.give("ping")
            assert runner.ready

    async def test_an_invalid_session_is_followed_by_one_identify(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot():
            await discord.drop("invalid_session")
            await discord.until("gateway", "identifies", reaches=2)
            assert (await discord.give("ping"))["status"] == "answered"
            assert (await discord.state())["gateway"]["identifies"] == 2

    async def test_commands_are_not_registered_again(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot():
            await discord.until("command_syncs", reaches=1)
            await discord.drop("invalid_session")
            await discord.until("gateway", "identifies", reaches=2)
            for _ in range(20):
                await discord.give("gone", unregistered=True)
            assert (await discord.state())["command_syncs"] == 1

    async def test_a_token_that_is_revoked_meanwhile_ends_the_bot(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            await discord.drop("close", code=4004)
            await becomes(runner, "refused")


class TestRateLimits:
    async def test_an_exhausted_bucket_does_not_hang(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            await discord.limits(others=1, others_per_s=0.3)
            began = time.monotonic()
            for _ in range(4):
                assert runner._bot is not None
                await runner._bot.http.get_guild(SEOUL_DEVELOPERS)
            assert 0.6 < time.monotonic() - began < 30


class TestShards:
    async def test_two_shards_log_in_and_each_has_its_guilds(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot(shards=2) as runner:
            assert runner.connected(0)
            assert runner.connected(1)
            sessions = (await discord.state())["gateway"]["sessions"]
            assert sorted((one["shard_id"], one["shards"]) for one in sessions) == [(0, 2), (1, 2)]
