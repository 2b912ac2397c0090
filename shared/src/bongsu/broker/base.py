"""The part of a broker that both adapters share: consumers and calls, over queues that an adapter finds or declares."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bongsu.broker.batching import BatchRunner
from bongsu.broker.errors import BrokerUnavailable
from bongsu.broker.port import BatchHandler, Consumer, JsonObject, Message, RpcHandler, TopicHandler
from bongsu.broker.rpc import INBOX_PREFETCH, Publish, RpcClient, answer_calls
from bongsu.broker.topics import SUBSCRIBER_PREFETCH, handle_in_order

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Source(Generic[Place]):
    """The queue of a consumer: `place` finds or declares it, again after each lost connection. `name` is for logs."""

    name: str
    place: Place
    prefetch: int


class PlacedConsumer(Consumer, Protocol):
    """A consumer whose queue may have another name after each lost connection."""

    @property
    def address(self) -> str | None:
        """The name of its current queue."""


ConsumerT = TypeVar("ConsumerT", bound=PlacedConsumer)


class BaseBroker(ABC, Generic[Place, ConsumerT]):
    """Implements the consuming half of `port.Broker`.

    :param publish: sends requests and answers.
    """

    def __init__(self, publish: Publish) -> None:
        self._consumers: list[ConsumerT] = []
        self._publish_call = publish
        self._rpc_client = RpcClient(publish, self._open_inbox)
        self._inbox: ConsumerT | None = None
        self._inbox_opening = asyncio.Lock()

    async def close(self, *, drain_s: float = 3.0) -> None:
        """As `Broker.close`."""
        await asyncio.gather(*(consumer.cancel(drain_s=drain_s) for consumer in [*self._consumers]))
        self._inbox = None
        self._rpc_client.fail_all("The broker is closed")
        await self._disconnect()

    async def consume(  # noqa: PLR0913 - the port's
        self,
        queue: str,
        handler: BatchHandler,
        *,
        prefetch: int,
        batch_max: int = 1,
        batch_wait_s: float = 0.005,
        concurrency: int | None = None,
    ) -> ConsumerT:
        """As `Broker.consume`."""
        if batch_max > prefetch:
            raise ValueError(f"A batch of {batch_max} cannot fill with a prefetch of {prefetch}")
        runner = BatchRunner(queue, handler, batch_max=batch_max, batch_wait_s=batch_wait_s, concurrency=concurrency)
        return await self._start(Source(queue, self._queue(queue), prefetch), runner)

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        """As `Broker.call`."""
        return await self._rpc_client.call(queue, message, deadline_s=deadline_s)

    async def serve(self, queue: str, handler: RpcHandler, *, prefetch: int = 16, exclusive: bool = False) -> ConsumerT:
        """As `Broker.serve`."""
        runner = BatchRunner(queue, answer_calls(handler, self._publish_call), concurrency=prefetch)
        return await self._start(Source(queue, self._served_queue(queue, exclusive=exclusive), prefetch), runner)

    async def subscribe(self, topic: str, handler: TopicHandler) -> ConsumerT:
        """As `Broker.subscribe`."""
        runner = BatchRunner(topic, handle_in_order(topic, handler), concurrency=1)
        return await self._start(Source(topic, self._subscription(topic), SUBSCRIBER_PREFETCH), runner)

    async def _open_inbox(self) -> str:
        self._require_connected()
        async with self._inbox_opening:
            if self._inbox is None:
                runner = BatchRunner("inbox", self._rpc_client.receive)
                self._inbox = await self._start(Source("inbox", self._answers(), INBOX_PREFETCH), runner)
        address = self._inbox.address
        if address is None:
            raise BrokerUnavailable("The inbox for answers is not open yet")
        return address

    @abstractmethod
    def _require_connected(self) -> None: ...

    @abstractmethod
    async def _disconnect(self) -> None: ...

    @abstractmethod
    async def _start(self, source: Source[Place], runner: BatchRunner) -> ConsumerT: ...

    @abstractmethod
    def _queue(self, name: str) -> Place: ...

    @abstractmethod
    def _served_queue(self, name: str, *, exclusive: bool) -> Place: ...

    @abstractmethod
    def _subscription(self, topic: str) -> Place: ...

    @abstractmethod
    def _answers(self) -> Place: ...
