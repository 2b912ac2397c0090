"""Calls with a deadline, on top of queues. Both adapters use it.

A request has the client's inbox, a call ID and a deadline in its headers. The deadline is a Unix time: the clocks of
client and server must agree to well within it. The message also expires then, which needs no common clock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from bongsu.broker.errors import BrokerError, BrokerUnavailable, InvalidMessage, RpcError, RpcTimeout
from bongsu.broker.port import BatchHandler, Delivery, JsonObject, Message, RpcHandler
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

REPLY_TO = "bongsu-reply-to"
CALL_ID = "bongsu-call-id"
DEADLINE = "bongsu-deadline"

INBOX_PREFETCH = 100

_INTERNAL: JsonObject = {"error": {"code": "internal", "detail": "The request failed on the server"}}


class Publish(Protocol):
    """`Broker.publish`."""

    def __call__(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> Awaitable[None]: ...


class RpcClient:
    """Sends requests, and matches them with the answers that come into one inbox.

    `open_inbox` returns the inbox's address and opens it if needed; it is awaited before each call, and raises
    BrokerUnavailable while disconnected.
    """

    def __init__(self, publish: Publish, open_inbox: Callable[[], Awaitable[str]]) -> None:
        self._publish = publish
        self._open_inbox = open_inbox
        self._waiting: dict[str, asyncio.Future[JsonObject]] = {}

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """As `Broker.call`."""
        call_id = uuid4().hex
        deadline = time.time() + deadline_s
        answer: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        try:
            async with asyncio.timeout(deadline_s):
                inbox = await self._open_inbox()
                headers = message.headers | {REPLY_TO: inbox, CALL_ID: call_id, DEADLINE: f"{deadline:.6f}"}
                remaining_s = max(deadline - time.time(), 0.001)
                request = replace(message, headers=headers, expires_in_s=remaining_s)
                await self._publish(queue, request, timeout_s=deadline_s)
                return _result(await answer)
        except TimeoutError:
            raise RpcTimeout(queue, deadline_s) from None
        finally:
            del self._waiting[call_id]
            answer.cancel()

    async def receive(self, deliveries: list[Delivery]) -> None:
        """The inbox's handler."""
        for delivery in deliveries:
            answer = self._waiting.get(delivery.message.headers.get(CALL_ID, ""))
            if answer is not None and not answer.done():
                answer.set_result(delivery.message.body)
            await delivery.ack()

    def fail_all(self, reason: str) -> None:
        """Fail the calls in flight: the inbox is gone, and their answers with it."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(BrokerUnavailable(reason))
                # Marks the exception as retrieved: the call may fail by itself first.
                answer.exception()


def answer_calls(handler: RpcHandler, publish: Publish) -> BatchHandler:
    """Make a queue handler that runs `handler` for each request in time, and sends its result to the client."""

    async def answer(delivery: Delivery) -> None:
        if delivery.lost:
            return
        await delivery.ack()
        request = delivery.message
        reply_to, call_id = request.headers.get(REPLY_TO), request.headers.get(CALL_ID)
        deadline = deadline_of(request)
        if reply_to is None or call_id is None or deadline is None:
            log.warning("rpc.request_malformed", queue=delivery.queue, message_id=request.id)
            return
        remaining_s = deadline - time.time()
        if remaining_s <= 0:
            log.info("rpc.request_expired", queue=delivery.queue, message_id=request.id, late_s=-remaining_s)
            return
        try:
            async with asyncio.timeout(remaining_s):
                body = await _run(handler, request, delivery.queue)
        except TimeoutError:
            log.warning("rpc.handler_timed_out", queue=delivery.queue, message_id=request.id)
            return
        remaining_s = max(deadline - time.time(), 0.001)
        reply = Message(body=body, headers={CALL_ID: call_id}, expires_in_s=remaining_s)
        try:
            await publish(reply_to, reply, timeout_s=remaining_s)
        except InvalidMessage:
            log.exception("rpc.handler_failed", queue=delivery.queue, message_id=request.id)
            await publish(reply_to, replace(reply, body=_INTERNAL), timeout_s=remaining_s)

    async def answer_each(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            try:
                await answer(delivery)
            except BrokerError as error:
                log.info("rpc.reply_failed", queue=delivery.queue, message_id=delivery.message.id, reason=str(error))

    return answer_each


async def _run(handler: RpcHandler, request: Message, queue: str) -> JsonObject:
    try:
        return {"result": await handler(request)}
    except (RpcError, ServiceError) as error:
        return {"error": {"code": error.code, "detail": error.detail}}
    except Exception:
        log.exception("rpc.handler_failed", queue=queue, message_id=request.id)
        return _INTERNAL


def _result(body: JsonObject) -> JsonObject:
    match body:
        case {"result": dict(result)}:
            return result
        case {"error": {"code": str(code), "detail": str(detail)}}:
            raise RpcError(code, detail)
        case _:
            raise RpcError("malformed", "The server's answer is malformed")


def deadline_of(request: Message) -> float | None:
    """The Unix time until which the caller waits. Every request that reaches an `RpcHandler` has one."""
    try:
        return float(request.headers[DEADLINE])
    except (KeyError, ValueError):
        return None
