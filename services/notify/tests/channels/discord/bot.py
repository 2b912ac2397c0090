"""The bot, as notify reaches it over the broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bongsu.broker import Broker, JsonObject, Message, RpcError
from bongsu.contracts.queues import BOT_MESSAGES, BOT_RPC

GUILD, CHANNEL = 300000000006422528, 300000000006422539
MESSAGE = 400000000000000001


@dataclass
class Bot:
    """Answers every request, unless `error` has a code. `managers` are the users who manage `GUILD`."""

    error: str | None = None
    managers: set[str] = field(default_factory=set)
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, message: Message) -> JsonObject:
        """Answer as the bot does."""
        request: dict[str, Any] = dict(message.body)
        self.requests.append(request)
        if self.error is not None:
            raise RpcError(self.error, "as the test says")
        if request["method"] == "send_message":
            return {"message_id": str(MESSAGE), "channel_id": request.get("channel_id", "1")}
        if request["user_id"] not in self.managers:
            raise RpcError("forbidden", "You need the Manage Server permission")
        guild: JsonObject = {"guild_id": str(GUILD), "guild_name": "서울 개발자 모임"}
        if request["method"] == "guild_authority":
            return guild
        return guild | {"channel_id": request["channel_id"], "channel_name": "공지"}

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The messages that were sent."""
        return [one for one in self.requests if one["method"] == "send_message"]


@asynccontextmanager
async def serving(broker: Broker, bot: Bot) -> AsyncIterator[Bot]:
    """Serve the bot while the block runs."""
    consumers = [await broker.serve(queue, bot.answer) for queue in (BOT_RPC, BOT_MESSAGES)]
    yield bot
    for consumer in consumers:
        await consumer.cancel()
