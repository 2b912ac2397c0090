"""What a delivery needs of a provider: send a message, and report its outcome."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar
from uuid import UUID

MAX_TOGETHER: Final = 50
"""How many messages a call takes at most, and how many deliveries start as a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A rendered message. Each channel's own class adds its content.

    :param recipient: as in the row: an address, a channel id or a user id.
    :param is_alone: shares no call with others: its priority is high, or it must not be sent twice.
    """

    notification_id: UUID
    attempt: int
    recipient: str
    is_alone: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted it. `status` is beyond `sent` only where the provider reports the result immediately."""

    message_id: str
    status: Literal["sent", "delivered", "bounced", "complained"] = "sent"
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class TryLater:
    """The provider certainly did not accept it, and may later.

    `spends_attempt` is False where only the rate or the operator's account was at fault. `delay_s` of None leaves the
    delay to the back-off.
    """

    code: str
    detail: str
    delay_s: float | None = None
    spends_attempt: bool = True
    is_throttled: bool = False
    """The messages came too fast: every worker slows down."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never accept it."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The request went out and no answer came: it may have been sent."""

    detail: str


Outcome = Sent | TryLater | Refused | OutcomeUnknown


def max_together(rate: float) -> int:
    """How many messages may start in the same moment at a rate (a second): one, and what a rate factor of 0.95 spares.

    So no second has more than the rate and one, however the starts lie.
    """
    return min(MAX_TOGETHER, 1 + int(rate * 0.05))


Message = TypeVar("Message", bound=Outgoing)


class Provider(Protocol[Message]):
    """Sends the messages of a channel."""

    @property
    def max_rate(self) -> float | None:
        """How many messages a second the provider accepts of all workers together; None: without a limit."""

    async def open(self) -> None:
        """Prepare to send."""

    async def is_ready(self) -> bool:
        """False while the operator has to fix something before messages can be sent."""

    def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        """Split messages that start in the same moment into calls. A call that hangs holds up its own alone."""

    async def send(self, call: Sequence[Message]) -> Sequence[Outcome]:
        """Send the messages of a call once, without retries; return an outcome for each. Many calls run concurrently.

        The worker cancels a call that takes too long, and one that raises is a defect: its outcomes are unknown.
        """

    async def close(self) -> None:
        """Close connections."""


class OneByOne(ABC, Generic[Message]):
    """The half of a provider whose calls take one message each."""

    def split(self, messages: Sequence[Message]) -> Sequence[Sequence[Message]]:
        return [[message] for message in messages]

    async def send(self, call: Sequence[Message]) -> Sequence[Outcome]:
        return [await self.send_one(message) for message in call]

    @abstractmethod
    async def send_one(self, message: Message) -> Outcome:
        """Send a message once, without retries."""
