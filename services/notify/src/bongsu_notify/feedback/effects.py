"""What an event of SES does to its notification."""

from dataclasses import dataclass
from typing import Any, Literal

from bongsu.contracts.notifications import Status
from bongsu_notify.feedback.schemas import SesEvent

Reason = Literal["bounce", "complaint"]


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an event.

    :param status: which the notification takes on where that may follow its own; None for a note.
    :param detail: of the timeline's entry.
    :param error_code: why it was not delivered.
    :param suppression: why the address gets no more mail.
    """

    status: Status | None
    detail: str | None = None
    error_code: str | None = None
    suppression: Reason | None = None


def read_effect(event: SesEvent) -> Effect | None:  # noqa: PLR0911 - one for each type of event
    """The effect of an event; None for one without any, such as an opened mail."""
    match event.type:
        case "Send":
            return Effect("sent", "reported by SES")
        case "Delivery":
            return Effect("delivered")
        case "Bounce":
            kind = _join(event.bounce, "bounceType", "bounceSubType") or "bounce"
            is_permanent = event.bounce.get("bounceType") == "Permanent"
            return Effect("bounced", kind, "bounced", "bounce" if is_permanent else None)
        case "Complaint" if event.complaint.get("complaintFeedbackType") == "not-spam":
            return Effect(None, "the recipient marked it as not spam")
        case "Complaint":
            kind = _join(event.complaint, "complaintFeedbackType", "complaintSubType") or "complaint"
            return Effect("complained", kind, "complained", "complaint")
        case "Reject":
            return Effect("failed", f"rejected: {_join(event.reject, 'reason')}", "provider_rejected")
        case "Rendering Failure":
            return Effect("failed", f"rendering_failure: {_join(event.failure, 'errorMessage')}", "rendering_failure")
        case "DeliveryDelay":
            return Effect(None, f"delivery delayed: {_join(event.delivery_delay, 'delayType', 'timestamp')}")
    return None


def _join(part: dict[str, Any], *names: str) -> str:
    return ", ".join(str(part[name]) for name in names if part.get(name))
