"""What a delivery needs of a provider: send a message, and report its outcome."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar
from uuid import UUID


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
    return min(50, 1 + int(rate * 0.05))


Message_contra = TypeVar("Message_contra", bound=Outgoing, contravariant=True)


class Provider(Protocol[Message_contra]):
    """Sends the messages of a channel."""

    @property
    def max_rate(self) -> float | None:
        """How many messages a second the provider accepts of all workers together; None: without a limit."""

    async def open(self) -> None:
        """Prepare to send."""

    async def is_ready(self) -> bool:
        """False while the operator has to fix something before messages can be sent."""

    async def send(self, message: Message_contra) -> Outcome:
        """Send a message once, without retries; never raises. Many calls run concurrently.

        The worker cancels a call that takes too long: the outcome is unknown then.
        """

    async def close(self) -> None:
        """Close connections."""
