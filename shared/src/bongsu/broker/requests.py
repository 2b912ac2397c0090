"""Typed calls: a request of `bongsu.contracts.rpc` in, its answer out.

answer = await ask(broker, GuildCountRequest(), deadline_s=2)
answer.guilds
"""

from typing import TypeVar, cast

from pydantic import ValidationError

from bongsu.broker.errors import RpcError
from bongsu.broker.port import Broker, JsonObject, Message
from bongsu.contracts.queues import BOT_RPC
from bongsu.contracts.rpc import RpcAnswer, RpcRequest

Answer = TypeVar("Answer", bound=RpcAnswer)


async def ask(broker: Broker, request: RpcRequest[Answer], *, deadline_s: float, queue: str = BOT_RPC) -> Answer:
    """Ask the bot, and wait for its answer at most `deadline_s` seconds.

    :raises Unroutable: at once, if no bot runs.
    :raises RpcTimeout: no answer in time; what was asked is not started on afterwards.
    :raises RpcError: refused, with one of the codes of `bongsu.contracts.rpc`; or the answer cannot be read.
    :raises BrokerUnavailable: not connected.
    """
    body: JsonObject = request.model_dump(mode="json", exclude_none=True)
    found = await broker.call(queue, Message(body=body), deadline_s=deadline_s)
    try:
        answer = type(request).answer_type.model_validate(found)
    except ValidationError as error:
        raise RpcError("invalid_answer", f"The answer has another shape: {error.error_count()} errors") from error
    return cast("Answer", answer)
