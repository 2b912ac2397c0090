"""The events of SES, which its configuration sets publish to SNS.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bongsu.runtime.errors import NotFound
from bongsu_sandbox.ledger.schemas import LedgerEntry
from bongsu_sandbox.ledger.service import Ledger
from bongsu_sandbox.sns.service import Sns
from bongsu_sandbox.times import timestamp

EventType = Literal["send", "delivery", "bounce", "complaint", "reject", "rendering_failure", "delivery_delay"]
NAMES: Final[dict[EventType, str]] = {
    "send": "Send",
    "delivery": "Delivery",
    "bounce": "Bounce",
    "complaint": "Complaint",
    "reject": "Reject",
    "rendering_failure": "Rendering Failure",
    "delivery_delay": "DeliveryDelay",
}
SOFT_BOUNCES: Final = ("General", "MailboxFull", "MessageTooLarge", "ContentRejected", "AttachmentRejected")
SIMULATOR: Final = "simulator.amazonses.com"
OUTCOMES: Final[dict[str, Sequence[tuple[EventType, str | None]]]] = {
    "success": [("delivery", None)],
    "bounce": [("bounce", None)],
    "complaint": [("delivery", None), ("complaint", None)],
    "suppressionlist": [("bounce", "OnAccountSuppressionList")],
    "ooto": [("delivery", None)],
}
"""What happens to mails to the addresses of SES's mailbox simulator."""


class EventIn(BaseModel):
    """An event to publish about an accepted mail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: str
    type: EventType
    subtype: Annotated[
        str | None,
        Field(
            max_length=100,
            description="Of a bounce: `Transient`, `Undetermined` or a subtype, such as `MailboxFull`; of a complaint: "
            "the feedback type, such as `abuse`; of a delay: its type; of a failure: its reason",
        ),
    ] = None


class EventSettings(BaseModel):
    """Which events come by themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    send: bool


class SesEvents:
    """Publishes events.

    :param send: whether each accepted mail of a configuration set publishes its Send event.
    """

    def __init__(self, sns: Sns, ledger: Ledger, *, send: bool) -> None:
        self._sns = sns
        self._ledger = ledger
        self.send = send

    def accepted(self, entry: LedgerEntry) -> None:
        """Publish what happens to a mail that a configuration set has accepted."""
        if entry.rendering_failure is not None:
            self._publish(entry, "rendering_failure", entry.rendering_failure)
            return
        if self.send:
            self._publish(entry, "send", None)
        for address in entry.to:
            local, _, domain = address.lower().partition("@")
            if domain == SIMULATOR:
                for kind, subtype in OUTCOMES.get(local.partition("+")[0], []):
                    self._publish(entry, kind, subtype)

    def publish(self, wanted: EventIn) -> None:
        """Publish an event about a mail of the ledger.

        :raises NotFound: the ledger has no such mail.
        """
        entry = self._ledger.find(wanted.message_id)
        if entry is None:
            raise NotFound("The ledger has no mail with this message_id")
        self._publish(entry, wanted.type, wanted.subtype)

    def _publish(self, entry: LedgerEntry, kind: EventType, subtype: str | None) -> None:
        mail = {
            "timestamp": timestamp(entry.accepted_at),
            "messageId": entry.message_id,
            "destination": list(entry.to),
            "commonHeaders": {"subject": entry.subject, "to": list(entry.to)},
            "tags": {name: [value] for name, value in entry.tags.items()},
        }
        event = {"eventType": NAMES[kind], "mail": mail} | _part(kind, subtype, entry.to)
        self._sns.publish(json.dumps(event, ensure_ascii=False))


def _part(  # noqa: PLR0911 - one for each type of event
    kind: EventType, subtype: str | None, to: Sequence[str]
) -> dict[str, dict[str, Any]]:
    now = timestamp(datetime.now(UTC))
    recipients = [{"emailAddress": address} for address in to]
    match kind:
        case "delivery":
            return {"delivery": {"timestamp": now, "recipients": list(to), "smtpResponse": "250 2.6.0 Accepted"}}
        case "bounce":
            is_type = subtype in ("Permanent", "Transient", "Undetermined")
            kind_of_bounce = subtype if is_type else "Transient" if subtype in SOFT_BOUNCES[1:] else "Permanent"
            detail = "General" if is_type or subtype is None else subtype
            return {
                "bounce": {
                    "bounceType": kind_of_bounce,
                    "bounceSubType": detail,
                    "bouncedRecipients": recipients,
                    "timestamp": now,
                }
            }
        case "complaint":
            feedback = {"complaintFeedbackType": subtype or "abuse", "complainedRecipients": recipients}
            return {"complaint": feedback | {"timestamp": now}}
        case "reject":
            return {"reject": {"reason": subtype or "Bad content"}}
        case "rendering_failure":
            return {"failure": {"errorMessage": subtype or "A value is missing", "templateName": "inline"}}
        case "delivery_delay":
            delay = {"delayType": subtype or "MailboxFull", "delayedRecipients": recipients}
            return {"deliveryDelay": delay | {"timestamp": now}}
        case _:
            return {"send": {}}
