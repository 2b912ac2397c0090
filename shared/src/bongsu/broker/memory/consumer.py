"""A consumer within the process."""

from collections.abc import Callable

from bongsu.broker.base import Source
from bongsu.broker.batching import BatchRunner
from bongsu.broker.errors import QueueMissing
from bongsu.broker.memory.hub import MemoryHub, MemoryQueue, StoredMessage
from bongsu.broker.port import Delivery, Message
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

Place = Callable[[], MemoryQueue]


class MemoryDelivery(Delivery):
    """A stored message that a consumer holds."""

    __slots__ = ("_consumer", "_lost", "stored")

    def __init__(self, consumer: "MemoryConsumer", stored: StoredMessage, message: Message, queue: str) -> None:
        super().__init__(queue, message, stored.delivery_count)
        self.stored = stored
        self._consumer = consumer
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether its connection was lost."""
        return self._lost

    def lose(self) -> None:
        """Mark that its connection was lost."""
        self._lost = True

    async def _send_ack(self) -> None:
        self._consumer.settle(self)

    async def _send_reject(self, *, requeue: bool) -> None:
        queue = self._consumer.settle(self)
        if queue is None:
            return
        if requeue:
            queue.requeue(self.stored)
        else:
            queue.dead_letter(self.stored, "rejected")


class MemoryConsumer:
    """Takes from the queue of a source."""

    def __init__(
        self, hub: MemoryHub, source: Source[Place], runner: BatchRunner, *, forget: Callable[["MemoryConsumer"], None]
    ) -> None:
        self._hub = hub
        self._source = source
        self._runner = runner
        self._forget = forget
        self._queue: MemoryQueue | None = None
        self._unsettled: dict[MemoryDelivery, None] = {}
        self._cancelled = False

    @property
    def running(self) -> bool:
        """Whether messages are delivered to it now."""
        return self._queue is not None and not self._cancelled

    @property
    def has_credit(self) -> bool:
        """Whether it takes another message now."""
        return self.running and len(self._unsettled) < self._source.prefetch

    @property
    def address(self) -> str | None:
        """The name of its current queue."""
        return self._queue.spec.name if self._queue is not None else None

    def attach(self) -> None:
        """Take from the queue.

        :raises QueueMissing: the queue does not exist.
        """
        if self._queue is None and not self._cancelled:
            self._queue = self._source.place()
            self._queue.consumers.append(self)
            self._queue.dispatch_soon()

    def attach_when_possible(self) -> None:
        """Take from the queue as soon as it exists."""
        self._hub.stop_waiting(self._source.name, self)
        try:
            self.attach()
        except QueueMissing:
            self._hub.wait_for(self._source.name, self)

    def detach(self) -> None:
        """Return its unsettled messages to the queue, and take no more."""
        self._hub.stop_waiting(self._source.name, self)
        self._return_all()
        self._leave_queue()
        self._runner.discard_lost()

    def queue_deleted(self) -> None:
        """The queue is gone, with the unsettled messages."""
        for delivery in self._unsettled:
            delivery.lose()
        self._unsettled.clear()
        self._queue = None
        self._runner.discard_lost()
        if not self._cancelled:
            self._hub.wait_for(self._source.name, self)

    def take(self, stored: StoredMessage) -> None:
        """Take a message and have it handled."""
        message = stored.decode()
        queue = self._queue
        if queue is None:
            raise QueueMissing(self._source.name)
        if message is None:
            log.warning("consumer.body_malformed", queue=self._source.name, message_id=stored.id)
            queue.dead_letter(stored, "rejected")
            return
        delivery = MemoryDelivery(self, stored, message, queue.spec.name)
        self._unsettled[delivery] = None
        self._runner.offer(delivery)

    def settle(self, delivery: MemoryDelivery) -> MemoryQueue | None:
        """Forget a settled delivery, and return its queue unless that is gone."""
        del self._unsettled[delivery]
        if self._queue is not None:
            self._queue.dispatch_soon()
        return self._queue

    async def cancel(self, *, drain_s: float | None = None) -> None:
        """As `Consumer.cancel`."""
        if self._cancelled:
            return
        self._cancelled = True
        await self._runner.drain(drain_s)
        self.detach()
        self._forget(self)

    def _return_all(self) -> None:
        # The last first: each goes to the front of the queue, which keeps their order.
        for delivery in reversed([*self._unsettled]):
            delivery.lose()
            if self._queue is not None:
                self._queue.requeue(delivery.stored)
        self._unsettled.clear()

    def _leave_queue(self) -> None:
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.consumers.remove(self)
            if queue.temporary and not queue.consumers:
                self._hub.delete(queue.spec.name)
