"""What the worker needs of a provider: send a batch, and say of each message what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A rendered message, ready for a provider. Addresses are plain; names are not yet encoded.

    What is `urgent` waits for nothing that is not.
    """

    notification_id: UUID
    attempt: int
    to_email: str
    to_name: str | None
    sender: str
    reply_to: str | None
    subject: str
    text: str | None
    html: str | None
    tags: dict[str, str] = field(default_factory=dict)
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. `status` is beyond `sent` only where the provider tells at once what became of it."""

    message_id: str
    status: Literal["sent", "delivered", "bounced", "complained"] = "sent"
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class TryLater:
    """The provider certainly did not take it, and may later.

    `spends_attempt` is False where we were only too fast. `delay_s` of None leaves the delay to the back-off.
    """

    code: str
    detail: str
    delay_s: float | None = None
    spends_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take it."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The request went out and no answer came: it may have been sent."""

    detail: str


Outcome = Sent | TryLater | Refused | OutcomeUnknown


class Channel(Protocol):
    """A provider."""

    async def open(self) -> None:
        """Get ready to send."""

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:
        """Send each message once, without retries of its own. One outcome a message, in order; never raises.

        :param cutoff: once it is set, begin no more, and answer at once: what has no answer yet is unknown.
        """

    async def close(self) -> None:
        """Let go of connections."""
