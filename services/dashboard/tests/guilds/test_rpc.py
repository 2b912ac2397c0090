import asyncio
from collections.abc import AsyncIterator

import pytest

from bongsu.broker import JsonObject, Message, RpcError, Unroutable
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import BOT_RPC
from bongsu.contracts.rpc import GuildLeaveRequest, GuildListRequest
from bongsu.runtime.errors import Forbidden
from bongsu_dashboard.errors import BotSilent, RemovalOutdated, RemovalUnknown
from bongsu_dashboard.guilds.rpc import RpcBot
from services.dashboard.tests.fakes import a_detail, a_summary

GUILD = 5 << 22


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    await broker.connect()
    yield broker
    await broker.close()


@pytest.fixture
def bot(broker: MemoryBroker) -> RpcBot:
    return RpcBot(broker, timeout_s=30, leave_timeout_s=30)


async def _serve(broker: MemoryBroker, *, refuses: str | None = None) -> list[object]:
    """Serve a bot that is in one guild, and return the requests that it gets."""
    asked: list[object] = []

    async def answer(message: Message) -> JsonObject:
        method = message.body["method"]
        if method == "guild_list":
            asked.append(GuildListRequest.model_validate(message.body))
        if method == "guild_leave":
            asked.append(GuildLeaveRequest.model_validate(message.body))
        if refuses is not None:
            raise RpcError(refuses, "No")
        if method == "guild_list":
            return {"guilds": [a_summary(GUILD).model_dump(mode="json")]}
        if method == "guild_detail":
            return a_detail(GUILD, missing=("embed_links",)).model_dump(mode="json")
        if method == "guild_leave":
            return {"guild_id": str(GUILD), "left_at": "2026-11-24T05:00:00Z"}
        return {"shards": [{"shard": 0, "state": "connecting"}], "at": "2026-11-24T05:00:00Z"}

    await broker.serve(BOT_RPC, answer)
    return asked


class TestAsking:
    async def test_fetch_status_returns_the_health_of_the_shards(self, broker: MemoryBroker, bot: RpcBot) -> None:
        await _serve(broker)
        assert [shard.state for shard in (await bot.fetch_status()).shards] == ["connecting"]

    async def test_list_guilds_returns_summaries_by_id(self, broker: MemoryBroker, bot: RpcBot) -> None:
        asked = await _serve(broker)
        assert (await bot.list_guilds([GUILD]))[GUILD].status == "active"
        assert isinstance(asked[0], GuildListRequest)
        assert asked[0].ids == (GUILD,)

    async def test_fetch_status_fails_without_waiting_when_no_bot_runs(self, bot: RpcBot) -> None:
        with pytest.raises(BotSilent) as caught:
            await bot.fetch_status()
        assert isinstance(caught.value.__cause__, Unroutable)

    @pytest.mark.parametrize("code", ["bot_not_ready", "shard_unavailable", "discord_unavailable", "internal"])
    async def test_list_guilds_fails_when_the_bot_is_not_able_to_answer(
        self, broker: MemoryBroker, bot: RpcBot, code: str
    ) -> None:
        await _serve(broker, refuses=code)
        with pytest.raises(BotSilent):
            await bot.list_guilds([GUILD])

    async def test_fetch_status_fails_when_the_broker_is_down(self, broker: MemoryBroker, bot: RpcBot) -> None:
        await broker.close()
        with pytest.raises(BotSilent):
            await bot.fetch_status()

    async def test_load_detail_returns_the_permissions(self, broker: MemoryBroker, bot: RpcBot) -> None:
        await _serve(broker)
        detail = await bot.load_detail(GUILD)
        assert detail is not None
        assert detail.missing == ("embed_links",)

    async def test_load_detail_returns_none_when_the_bot_is_not_in_the_guild(
        self, broker: MemoryBroker, bot: RpcBot
    ) -> None:
        await _serve(broker, refuses="guild_not_found")
        assert await bot.load_detail(GUILD) is None

    async def test_load_history_fails_when_the_bot_does_not_answer(self, bot: RpcBot) -> None:
        with pytest.raises(BotSilent):
            await bot.load_history(GUILD)


class TestLeaving:
    async def test_leave_guild_sends_the_assertion_and_the_key(self, broker: MemoryBroker, bot: RpcBot) -> None:
        asked = await _serve(broker)
        await bot.leave_guild(GUILD, assertion="word", key="a" * 24)
        assert asked == [GuildLeaveRequest(guild_id=GUILD, assertion="word", idempotency_key="a" * 24)]

    async def test_leave_guild_succeeds_when_the_bot_is_not_in_the_guild(
        self, broker: MemoryBroker, bot: RpcBot
    ) -> None:
        await _serve(broker, refuses="guild_not_found")
        await bot.leave_guild(GUILD, assertion="word", key="a" * 24)

    async def test_leave_guild_reports_an_unknown_outcome_when_no_answer_comes(self, broker: MemoryBroker) -> None:
        async def answer_too_late(_message: Message) -> JsonObject:
            await asyncio.Event().wait()
            raise AssertionError

        await broker.serve(BOT_RPC, answer_too_late)
        with pytest.raises(RemovalUnknown):
            await RpcBot(broker, timeout_s=30, leave_timeout_s=0.2).leave_guild(GUILD, assertion="word", key="a" * 24)

    async def test_leave_guild_reports_an_unknown_outcome_when_discord_does_not_answer(
        self, broker: MemoryBroker, bot: RpcBot
    ) -> None:
        await _serve(broker, refuses="discord_unavailable")
        with pytest.raises(RemovalUnknown):
            await bot.leave_guild(GUILD, assertion="word", key="a" * 24)

    async def test_leave_guild_reports_an_outdated_request(self, broker: MemoryBroker, bot: RpcBot) -> None:
        await _serve(broker, refuses="request_outdated")
        with pytest.raises(RemovalOutdated):
            await bot.leave_guild(GUILD, assertion="word", key="a" * 24)

    @pytest.mark.parametrize("code", ["forbidden", "not_linked", "assertion_refused"])
    async def test_leave_guild_raises_forbidden_when_the_bot_refuses(
        self, broker: MemoryBroker, bot: RpcBot, code: str
    ) -> None:
        await _serve(broker, refuses=code)
        with pytest.raises(Forbidden) as caught:
            await bot.leave_guild(GUILD, assertion="word", key="a" * 24)
        assert caught.value.code == code
