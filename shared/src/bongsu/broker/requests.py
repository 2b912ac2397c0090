"""Typed calls: a request of `bongsu.contracts.rpc` in, its answer out.

answer = await ask(broker, GuildCountRequest(), deadline_s=2)
answer.guilds
"""

from typing import TypeVar

from pydantic import ValidationError

from bongsu.broker.errors import RpcError
from bongsu.broker.port import Broker, JsonObject, Message
from bongsu.contracts.queues import BOT_RPC
from bongsu.contracts.rpc import RpcAnswer, RpcRequest

Answer = TypeVar("Answer", bound=RpcAnswer)


async def ask(broker: Broker, request: RpcRequest[Answer], *, deadline_s: float, queue: str = BOT_RPC) -> Answer:
    """Send a request to the bot, and wait at most `deadline_s` seconds for its answer.

    :raises Unroutable: no bot runs; raised without waiting.
    :raises RpcTimeout: no answer in time. The bot does not start on the request afterwards.
    :raises RpcError: the bot refused, with a code of `bongsu.contracts.rpc`, or its answer cannot be read.
    :raises BrokerUnavailable: not connected.
    """
    body: JsonObject = request.model_dump(mode="json", exclude_none=True)
    found = await broker.call(queue, Message(body=body), deadline_s=deadline_s)
    try:
        return request.answer_type().model_validate(found)
    except ValidationError as error:
        raise RpcError("invalid_answer", f"The answer has another shape: {error.error_count()} errors") from error
