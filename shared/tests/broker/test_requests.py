"""Requests to the bot, with a test server in its place."""

from collections.abc import AsyncIterator

import pytest

from bongsu.broker import Consumer, JsonObject, Message, RpcError, Unroutable
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.queues import BOT_RPC
from bongsu.contracts.rpc import GuildCountRequest, GuildListRequest
from shared.tests.broker.recorder import PATIENCE_S


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    await broker.connect()
    yield broker
    await broker.close()


async def answering(broker: MemoryBroker, answer: JsonObject | RpcError) -> Consumer:
    async def handle(_message: Message) -> JsonObject:
        if isinstance(answer, RpcError):
            raise answer
        return answer

    return await broker.serve(BOT_RPC, handle)


class TestAsk:
    async def test_answer_has_the_type_of_the_request(self, broker: MemoryBroker) -> None:
        await answering(broker, {"guilds": 3, "shards_answered": 1, "shards": 2})
        answer = await ask(broker, GuildCountRequest(), deadline_s=PATIENCE_S)
        assert (answer.guilds, answer.shards_answered, answer.shards) == (3, 1, 2)

    async def test_refusal_keeps_its_code(self, broker: MemoryBroker) -> None:
        await answering(broker, RpcError("forbidden", "You need the Manage Server permission"))
        with pytest.raises(RpcError) as caught:
            await ask(broker, GuildListRequest(), deadline_s=PATIENCE_S)
        assert caught.value.code == "forbidden"

    async def test_answer_of_another_shape_is_an_error(self, broker: MemoryBroker) -> None:
        await answering(broker, {"guilds": "many"})
        with pytest.raises(RpcError, match="invalid_answer"):
            await ask(broker, GuildCountRequest(), deadline_s=PATIENCE_S)

    async def test_request_fails_without_waiting_when_no_bot_runs(self, broker: MemoryBroker) -> None:
        with pytest.raises(Unroutable):
            await ask(broker, GuildCountRequest(), deadline_s=PATIENCE_S)
