import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from bongsu.broker import (
    Broker,
    BrokerUnavailable,
    JsonObject,
    Message,
    QueueInUse,
    RpcError,
    RpcTimeout,
    Unroutable,
)
from bongsu.broker.rpc import CALL_ID, DEADLINE, REPLY_TO
from bongsu.runtime.errors import NotFound
from shared.tests.broker.recorder import LONG_S, PATIENCE_S
from shared.tests.broker.servers import BrokerServer
from tests.eventually import eventually


class Server:
    """An RPC handler that keeps its requests, and can wait for a gate."""

    def __init__(self) -> None:
        self.ran: list[JsonObject] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, request: Message) -> JsonObject:
        self.ran.append(request.body)
        await self.gate.wait()
        return {"echo": request.body}


def failing(error: Exception) -> Callable[[Message], Awaitable[JsonObject]]:
    async def fail(_request: Message) -> JsonObject:
        raise error

    return fail


class TestCall:
    async def test_call_gets_the_answer(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, Server())
        answer = await (await server.client()).call(queue, Message(body={"이름": "길드 🏰"}), deadline_s=PATIENCE_S)
        assert answer == {"echo": {"이름": "길드 🏰"}}

    async def test_server_sees_the_request_as_it_was_sent(self, server: BrokerServer, broker: Broker) -> None:
        queue, seen = server.name("rpc"), list[Message]()

        async def keep(request: Message) -> JsonObject:
            seen.append(request)
            return {}

        await broker.serve(queue, keep)
        await broker.call(queue, Message(body={}, id="id-1", headers={"actor": "u-1"}), deadline_s=PATIENCE_S)
        assert (seen[0].id, seen[0].headers["actor"]) == ("id-1", "u-1")

    async def test_each_call_gets_its_own_answer(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, Server())
        bodies: list[JsonObject] = [{"n": n} for n in range(50)]
        answers = await asyncio.gather(
            *(broker.call(queue, Message(body=body), deadline_s=PATIENCE_S) for body in bodies)
        )
        assert answers == [{"echo": body} for body in bodies]

    async def test_each_client_gets_its_own_answers(self, server: BrokerServer, broker: Broker) -> None:
        queue, other = server.name("rpc"), await server.client()
        await broker.serve(queue, Server())
        one = broker.call(queue, Message(body={"n": 1}, id="same"), deadline_s=PATIENCE_S)
        two = other.call(queue, Message(body={"n": 2}, id="same"), deadline_s=PATIENCE_S)
        first, second = await asyncio.gather(one, two)
        assert (first, second) == ({"echo": {"n": 1}}, {"echo": {"n": 2}})

    async def test_call_fails_without_waiting_when_no_consumer_serves_the_queue(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Unroutable):
                await broker.call(server.name("rpc"), Message(body={}), deadline_s=LONG_S)

    async def test_call_fails_without_waiting_when_the_server_has_gone(
        self, server: BrokerServer, broker: Broker
    ) -> None:
        queue = server.name("rpc")
        serving = await broker.serve(queue, Server())
        await serving.cancel()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Unroutable):
                await broker.call(queue, Message(body={}), deadline_s=LONG_S)

    async def test_call_times_out_when_the_answer_is_late(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        handler.gate.clear()
        await broker.serve(queue, handler)
        with pytest.raises(RpcTimeout):
            await broker.call(queue, Message(body={}), deadline_s=0.1)

    async def test_call_fails_without_waiting_when_disconnected(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, Server())
        server.cut()
        await eventually(lambda: not broker.connected)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(BrokerUnavailable):
                await broker.call(queue, Message(body={}), deadline_s=LONG_S)

    async def test_waiting_call_fails_when_the_connection_is_lost(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        handler.gate.clear()
        await broker.serve(queue, handler)
        call = asyncio.create_task(broker.call(queue, Message(body={}), deadline_s=LONG_S))
        await eventually(lambda: handler.ran != [])
        server.cut()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(BrokerUnavailable):
                await call

    async def test_cancelled_call_leaves_nothing_behind(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        handler.gate.clear()
        await broker.serve(queue, handler)
        call = asyncio.create_task(broker.call(queue, Message(body={"n": 1}), deadline_s=LONG_S))
        await eventually(lambda: handler.ran != [])
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        handler.gate.set()
        assert await broker.call(queue, Message(body={"n": 2}), deadline_s=PATIENCE_S) == {"echo": {"n": 2}}


class TestServe:
    async def test_request_that_expired_in_the_queue_is_never_run(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        handler.gate.clear()
        await broker.serve(queue, handler, prefetch=1)
        busy = asyncio.create_task(broker.call(queue, Message(body={"n": 0}), deadline_s=PATIENCE_S))
        await eventually(lambda: handler.ran != [])
        # One of these waits at the server, the others in the queue.
        late = [broker.call(queue, Message(body={"n": n}), deadline_s=0.05) for n in range(1, 5)]
        for result in await asyncio.gather(*late, return_exceptions=True):
            assert isinstance(result, RpcTimeout)
        handler.gate.set()
        await busy
        await broker.call(queue, Message(body={"n": 5}), deadline_s=PATIENCE_S)
        assert handler.ran == [{"n": 0}, {"n": 5}]

    async def test_request_that_expired_at_the_server_is_never_run(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        await broker.serve(queue, handler)
        late = {REPLY_TO: "nowhere", CALL_ID: "c-1", DEADLINE: f"{time.time() - 0.01:.6f}"}
        await broker.publish(queue, Message(body={"n": 1}, headers=late))
        await broker.call(queue, Message(body={"n": 2}), deadline_s=PATIENCE_S)
        assert handler.ran == [{"n": 2}]

    @pytest.mark.parametrize("missing", [REPLY_TO, CALL_ID, DEADLINE])
    async def test_request_is_never_run_when_it_lacks_a_header(
        self, server: BrokerServer, broker: Broker, missing: str
    ) -> None:
        queue, handler = server.name("rpc"), Server()
        await broker.serve(queue, handler)
        headers = {REPLY_TO: "nowhere", CALL_ID: "c-1", DEADLINE: f"{time.time() + 60:.6f}"}
        del headers[missing]
        await broker.publish(queue, Message(body={"n": 1}, headers=headers))
        await broker.call(queue, Message(body={"n": 2}), deadline_s=PATIENCE_S)
        assert handler.ran == [{"n": 2}]

    async def test_handler_is_stopped_at_the_deadline(self, server: BrokerServer, broker: Broker) -> None:
        queue, begun, stopped = server.name("rpc"), asyncio.Event(), asyncio.Event()

        async def hang(_request: Message) -> JsonObject:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()
            return {}

        await broker.serve(queue, hang)
        deadline_s = 0.05
        while not begun.is_set():  # on a slow machine the first ones expire before they are run
            with pytest.raises(RpcTimeout):
                await broker.call(queue, Message(body={}), deadline_s=deadline_s)
            deadline_s *= 2
        async with asyncio.timeout(PATIENCE_S):
            await stopped.wait()

    async def test_error_of_the_handler_reaches_the_client(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, failing(RpcError("guild_unknown", "The bot is in no such guild")))
        with pytest.raises(RpcError) as caught:
            await broker.call(queue, Message(body={}), deadline_s=PATIENCE_S)
        assert (caught.value.code, caught.value.detail) == ("guild_unknown", "The bot is in no such guild")

    async def test_error_of_a_service_reaches_the_client(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, failing(NotFound("No such module")))
        with pytest.raises(RpcError) as caught:
            await broker.call(queue, Message(body={}), deadline_s=PATIENCE_S)
        assert (caught.value.code, caught.value.detail) == ("not_found", "No such module")

    @pytest.mark.parametrize("error", [ValueError("password=hunter2"), TimeoutError("inner"), KeyError("secret")])
    async def test_other_exceptions_do_not_show_their_text(
        self, server: BrokerServer, broker: Broker, error: Exception
    ) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, failing(error))
        with pytest.raises(RpcError) as caught:
            await broker.call(queue, Message(body={}), deadline_s=PATIENCE_S)
        assert (caught.value.code, caught.value.detail) == ("internal", "The request failed on the server")

    async def test_answer_is_an_internal_error_when_it_is_not_json(self, server: BrokerServer, broker: Broker) -> None:
        async def answer(_request: Message) -> JsonObject:
            return cast("JsonObject", {"at": object()})

        queue = server.name("rpc")
        await broker.serve(queue, answer)
        with pytest.raises(RpcError, match="internal"):
            await broker.call(queue, Message(body={}), deadline_s=PATIENCE_S)

    async def test_several_servers_share_the_calls(self, server: BrokerServer, broker: Broker) -> None:
        queue, one, two = server.name("rpc"), Server(), Server()
        await broker.serve(queue, one)
        await (await server.client()).serve(queue, two)
        await asyncio.gather(*(broker.call(queue, Message(body={}), deadline_s=PATIENCE_S) for _ in range(10)))
        assert len(one.ran) + len(two.ran) == 10
        assert one.ran
        assert two.ran

    async def test_exclusive_queue_has_one_server(self, server: BrokerServer, broker: Broker) -> None:
        queue = server.name("rpc")
        await broker.serve(queue, Server(), exclusive=True)
        other = await server.client()
        with pytest.raises(QueueInUse):
            await other.serve(queue, Server(), exclusive=True)
        assert await other.call(queue, Message(body={}), deadline_s=PATIENCE_S) == {"echo": {}}

    async def test_no_more_requests_run_than_the_prefetch(self, server: BrokerServer, broker: Broker) -> None:
        queue, handler = server.name("rpc"), Server()
        handler.gate.clear()
        await broker.serve(queue, handler, prefetch=2)
        calls = [asyncio.create_task(broker.call(queue, Message(body={}), deadline_s=PATIENCE_S)) for _ in range(6)]
        await eventually(lambda: len(handler.ran) == 2)
        handler.gate.set()
        await asyncio.gather(*calls)
        assert len(handler.ran) == 6
