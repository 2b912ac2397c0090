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


Message_contra = TypeVar("Message_contra", bound=Outgoing, contravariant=True)


class Provider(Protocol[Message_contra]):
    """Sends the messages of a channel."""

    async def open(self) -> None:
        """Prepare to send."""

    async def send(self, message: Message_contra) -> Outcome:
        """Send a message once, without retries; never raises. Many calls run concurrently.

        The worker cancels a call that takes too long: the outcome is unknown then.
        """

    async def close(self) -> None:
        """Close connections."""
