import asyncio
import time

import pytest
from discord.shard import EventItem, EventType
from pydantic import SecretStr
from structlog.testing import capture_logs

from bongsu.mixins import utc_now
from bongsu_bot.bot import BongsuBot
from bongsu_bot.shards.budget import IdentifyBudget
from bongsu_bot.shards.models import BotReplica, IdentifySlot, ShardLease
from bongsu_sandbox.settings import SandboxSettings
from services.bot.tests.conftest import FIRST_PAUSE_S, StartBot, becomes, hold, two_processes
from services.bot.tests.discord import SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually


class TestLogin:
    async def test_login_takes_one_identify(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            assert runner.health(0).is_connected
            assert (await discord.state())["gateway"]["identifies"] == 1

    async def test_session_ends_when_the_bot_stops(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            pass
        assert runner.state in {"stopped", "ready"}

        async def sessions_are_over() -> bool:
            return not any(session["connected"] for session in (await discord.state())["gateway"]["sessions"])

        await eventually(sessions_are_over)

    async def test_session_is_not_recorded_after_the_bot_has_stopped(
        self, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcomes: list[str] = []

        async def record_session(_budget: IdentifyBudget) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                outcomes.append("cancelled")

        monkeypatch.setattr(IdentifyBudget, "record_session", record_session)
        async with start_bot():
            assert outcomes == []
        assert outcomes == ["cancelled"]

    async def test_wrong_token_is_logged_once_and_not_retried(self, discord: Discord, start_bot: StartBot) -> None:
        with capture_logs() as logs:
            async with start_bot(until_ready=False, token=SecretStr("wrong")) as runner:
                await becomes(runner, "refused")
        assert runner.refusal is not None
        assert "BOT_TOKEN" in runner.refusal
        assert [entry["event"] for entry in logs if entry["log_level"] in {"error", "warning"}] == ["bot.refused"]
        assert (await discord.state())["rest"]["GET /users/@me"] == 1

    async def test_login_succeeds_after_two_429s(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "throttle", detail={"route": "/users/@me", "times": "2", "retry_after": "0.1"})
        async with start_bot():
            assert (await discord.state())["rest"]["GET /users/@me"] >= 3

    async def test_login_is_retried_after_a_429_from_the_proxy(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "no_via", detail={"route": "/users/@me", "times": "1"})
        async with start_bot() as runner:
            assert runner.ready

    async def test_login_is_retried_when_the_gateway_is_down(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("discord", "reset", detail={"route": "/gateway", "times": "1"})
        async with start_bot() as runner:
            assert runner.ready

    async def test_login_is_retried_when_it_never_completes(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.fault("gateway", "hang")
        async with start_bot(until_ready=False, ready_timeout_s=0.5) as runner:
            await becomes(runner, "waiting")
            await discord.sandbox.clear_faults()
            # Half a second may be too short for the next login on a slow machine.
            runner._settings = runner._settings.model_copy(update={"ready_timeout_s": 30.0})
            await becomes(runner, "ready")


class TestSpentLogins:
    @pytest.fixture
    def sandbox_settings(self, sandbox_settings: SandboxSettings) -> SandboxSettings:
        return sandbox_settings.model_copy(update={"discord_session_starts": 5})

    async def test_login_waits_when_the_days_logins_are_nearly_spent(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        with capture_logs() as logs:
            async with start_bot(until_ready=False) as runner:
                await eventually(lambda: "bot.login_postponed" in [entry["event"] for entry in logs])
                await becomes(runner, "waiting")
                assert runner._bot is None
        assert "gateway.starts_spent" in [entry["event"] for entry in logs]
        assert (await discord.state())["gateway"]["identifies"] == 0


class TestGatewayRules:
    async def test_shards_log_in_no_faster_than_discord_allows(self, discord: Discord, start_bot: StartBot) -> None:
        await discord.gateway(identify_s=0.5)
        async with start_bot(shards=2, identify_pause_s=2.5):
            state = (await discord.state())["gateway"]
        assert (state["identifies"], state["refused"]) == (2, 0)

    async def test_bot_answers_when_the_gateway_asks_for_a_heartbeat(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot():
            before = (await discord.state())["gateway"]["heartbeats"]
            await discord.request_heartbeats()
            await discord.until("gateway", "heartbeats", reaches=before + 1)


class TestReconnecting:
    @pytest.mark.parametrize("how", ["reset", "close", "reconnect"])
    async def test_dropped_connection_is_resumed(self, how: str, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot():
            assert await discord.drop(how) == 1
            await discord.until("gateway", "resumes", reaches=1)
            answer = await discord.give("ping")
            assert answer["status"] == "answered"
            assert (await discord.state())["gateway"]["identifies"] == 1

    async def test_runner_is_not_ready_during_an_outage_of_the_gateway(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot() as runner:
            await discord.fault("gateway", "hang")
            await discord.drop("reset")
            await eventually(lambda: not runner.ready)
            assert not runner.health(0).is_connected
            await discord.sandbox.clear_faults()
            await discord.drop("reset")
            await eventually(lambda: runner.ready)

    async def test_shard_tries_to_connect_again_within_a_minute_however_long_an_outage_lasts(
        self, start_bot: StartBot
    ) -> None:
        async with start_bot() as runner:
            guild = runner.find_guild(SEOUL_DEVELOPERS)
            assert guild is not None
            bot = guild._state._get_client()
            assert isinstance(bot, BongsuBot)
            shard = bot.get_shard(0)
            assert shard is not None
            assert max(shard._parent._backoff.delay() for _ in range(100)) <= 45

    async def test_resumed_session_gets_the_events_that_it_missed(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            await discord.fault("discord", "unavailable", detail={"route": "/gateway", "times": "1"})
            await discord.drop("reset")
            await discord.guild(SEOUL_DEVELOPERS, name="서울 개발자들")
            await discord.until("gateway", "resumes", reaches=1)
            assert await discord.give("ping")
            assert runner.ready

    async def test_invalid_session_is_followed_by_one_identify(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot():
            await discord.drop("invalid_session")
            await discord.until("gateway", "identifies", reaches=2)
            assert (await discord.give("ping"))["status"] == "answered"
            assert (await discord.state())["gateway"]["identifies"] == 2

    async def test_invalid_sessions_in_a_row_are_followed_by_ever_longer_pauses(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot():
            began = time.monotonic()
            await discord.fault("gateway", "invalid_session")
            await discord.drop("invalid_session")
            await discord.until("gateway", "identifies", reaches=4)
            identifies = (await discord.state())["gateway"]["identifies"]
            elapsed_s = time.monotonic() - began
            # The pauses are 1, 2, 4, ... times the first, a fifth shorter at least.
            assert 0.8 * FIRST_PAUSE_S * (2 ** (identifies - 1) - 1) <= elapsed_s
            await discord.sandbox.clear_faults()
            await discord.until("gateway", "identifies", reaches=identifies + 1)
            assert (await discord.give("ping"))["status"] == "answered"

    async def test_shards_share_the_pauses_of_invalid_sessions(self, discord: Discord, start_bot: StartBot) -> None:
        first_pause_s = 0.2
        async with start_bot(shards=2, first_pause_s=first_pause_s) as runner:

            async def sessions_are_recorded() -> bool:
                return await IdentifySlot.filter_by(bucket=-1, count=0).count() == 1

            await eventually(sessions_are_recorded)
            began = time.monotonic()
            await discord.fault("gateway", "invalid_session")
            assert await discord.drop("invalid_session") == 2
            await discord.until("gateway", "identifies", reaches=2 + 3)
            count = (await discord.state())["gateway"]["identifies"] - 2
            elapsed_s = time.monotonic() - began
            # The pauses are 1, 4, 16, ... times the first, over both shards.
            assert 0.8 * first_pause_s * sum(4**place for place in range(count - 1)) <= elapsed_s
            await discord.sandbox.clear_faults()
            await eventually(lambda: runner.ready, 60)

    async def test_resumes_in_a_row_are_followed_by_ever_longer_pauses(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot() as runner:
            began = time.monotonic()
            await discord.fault("gateway", "error")
            await discord.drop("close")
            await discord.until("gateway", "resumes", reaches=4)
            resumes = (await discord.state())["gateway"]["resumes"]
            elapsed_s = time.monotonic() - began
            assert not runner.ready
            # The pauses are 1, 2, 4, ... times the first, a fifth shorter at least.
            assert 0.8 * FIRST_PAUSE_S * (2 ** (resumes - 1) - 1) <= elapsed_s
            await discord.sandbox.clear_faults()
            await eventually(lambda: runner.ready)
            assert (await discord.give("ping"))["status"] == "answered"
            assert (await discord.state())["gateway"]["identifies"] == 1

    @pytest.mark.parametrize("after", ["READY", "RESUMED"])
    async def test_sessions_that_end_when_they_begin_are_resumed_after_ever_longer_pauses(
        self, after: str, discord: Discord, start_bot: StartBot
    ) -> None:
        if after == "READY":
            await discord.fault("gateway", "accept_then_reset")
        began = time.monotonic()
        async with start_bot(until_ready=False) as runner:
            if after == "RESUMED":
                await becomes(runner, "ready")
                await discord.fault("gateway", "accept_then_reset")
                began = time.monotonic()
                await discord.drop("close")
            await discord.until("gateway", "resumes", reaches=5)
            gateway = (await discord.state())["gateway"]
            elapsed_s = time.monotonic() - began
            # The pauses are 1, 2, 4, ... times the first, a fifth shorter at least.
            assert 0.8 * FIRST_PAUSE_S * (2 ** (gateway["resumes"] - 1) - 1) <= elapsed_s
            assert gateway["identifies"] == 1
            await discord.sandbox.clear_faults()

            async def is_answered() -> bool:
                # The runner may still be ready by the last of the sessions that end.
                return runner.ready and (await discord.give("ping"))["status"] == "answered"

            await eventually(is_answered)
            assert runner.state == "ready"
            assert (await discord.state())["gateway"]["identifies"] == 1

    async def test_identify_after_many_resumes_is_not_delayed_for_them(self, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            bot = runner._bot
            assert bot is not None
            shard = bot.get_shard(0)
            assert shard is not None
            for _ in range(10):
                bot._resumes.record(0)
            assert 30 < bot._resumes.delay_s(0) < 50
            queued: list[EventItem] = []
            for kind in (EventType.resume, EventType.identify):
                bot._put_in_time(queued.append, EventItem(kind, shard._parent, None))
            await eventually(lambda: [item.type for item in queued] == [EventType.identify])

    async def test_attempt_to_connect_uses_up_no_identify_before_the_gateway_answers(self, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            bot = runner._bot
            assert bot is not None
            shard = bot.get_shard(0)
            assert shard is not None
            before = await IdentifySlot.query().order_by("bucket").pluck("next_at")
            queued: list[EventItem] = []
            bot._put_in_time(queued.append, EventItem(EventType.reconnect, shard._parent, None))
            assert [item.type for item in queued] == [EventType.reconnect]
            assert await IdentifySlot.query().order_by("bucket").pluck("next_at") == before

    async def test_unknown_commands_and_new_sessions_register_nothing(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot():
            await discord.until("command_syncs", reaches=1)
            await discord.drop("invalid_session")
            await discord.until("gateway", "identifies", reaches=2)
            for _ in range(100):
                await discord.give("gone", unregistered=True)
            assert (await discord.state())["command_syncs"] == 1

    async def test_runner_ends_when_the_token_is_revoked(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot() as runner:
            await discord.drop("close", code=4004)
            await becomes(runner, "refused")


class TestRateLimits:
    async def test_exhausted_bucket_delays_requests_without_hanging_them(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot() as runner:
            await discord.limits(others=1, others_per_s=0.3)
            began = time.monotonic()
            for _ in range(4):
                assert runner._bot is not None
                await runner._bot.http.get_guild(SEOUL_DEVELOPERS)
            assert 0.6 < time.monotonic() - began < 30


class TestShards:
    async def test_two_shards_log_in(self, discord: Discord, start_bot: StartBot) -> None:
        async with start_bot(shards=2) as runner:
            assert runner.health(0).is_connected
            assert runner.health(1).is_connected
            sessions = (await discord.state())["gateway"]["sessions"]
            assert sorted((one["shard_id"], one["shards"]) for one in sessions) == [(0, 2), (1, 2)]

    async def test_shards_of_a_dead_process_are_taken_over(self, discord: Discord, start_bot: StartBot) -> None:
        dead = await hold(1)
        async with start_bot(shards=2) as runner:
            assert runner._leases.own == {0}
            await BotReplica.filter_by(id=dead).update(expires_at=utc_now(-1))
            await ShardLease.filter_by(holder_id=dead).update(expires_at=utc_now(-1))
            await eventually(lambda: runner._leases.own == {0, 1} and runner.state == "ready" and runner.ready, 60)
            sessions = (await discord.state())["gateway"]["sessions"]
            connected = sorted(one["shard_id"] for one in sessions if one["connected"])
            assert connected == [0, 1]
            assert (await discord.state())["gateway"]["identifies"] == 3
            assert len((await discord.give("ping"))["answers"]) == 1

    async def test_two_processes_split_the_shards_and_answer_once(self, discord: Discord, start_bot: StartBot) -> None:
        async with two_processes(start_bot) as (first, second):
            assert [*first._leases.own, *second._leases.own] == [0, 1]
            answered = await discord.give("ping")
            assert (answered["status"], len(answered["answers"])) == ("answered", 1)
            assert (await discord.state())["gateway"]["identifies"] <= 4
