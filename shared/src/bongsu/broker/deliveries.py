"""The part of a delivery that both adapters share: it is settled once, and not at all after its connection is lost."""

from abc import ABC, abstractmethod

from bongsu.broker.port import Message


class SettledOnce(ABC):
    """A `port.Delivery`; an adapter implements the two messages to the broker."""

    __slots__ = ("_settled", "delivery_count", "message", "queue")

    def __init__(self, queue: str, message: Message, delivery_count: int) -> None:
        self.queue = queue
        self.message = message
        self.delivery_count = delivery_count
        self._settled = False

    @property
    def settled(self) -> bool:
        """Whether it was acknowledged or rejected."""
        return self._settled

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether its connection was lost."""

    async def ack(self) -> None:
        """Acknowledge: the broker deletes the message."""
        self._mark_settled()
        if not self.lost:
            await self._send_ack()

    async def reject(self, *, requeue: bool) -> None:
        """Return it to the queue, or make it a dead letter."""
        self._mark_settled()
        if not self.lost:
            await self._send_reject(requeue=requeue)

    def _mark_settled(self) -> None:
        if self._settled:
            raise RuntimeError(f"Message {self.message.id} from {self.queue!r} is settled already")
        self._settled = True

    @abstractmethod
    async def _send_ack(self) -> None: ...

    @abstractmethod
    async def _send_reject(self, *, requeue: bool) -> None: ...
