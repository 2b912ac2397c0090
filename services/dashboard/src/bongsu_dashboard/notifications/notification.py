"""A notification as the pages show it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, Literal, get_args

from bongsu.contracts.jobs import EmailRecipient
from bongsu.contracts.notifications import (
    CANCELLABLE,
    RETRYABLE,
    UNFINISHED,
    DiscordRecipient,
    NotificationContent,
    NotificationOut,
    Status,
    TimelineEntry,
    TopicRecipient,
)
from bongsu.contracts.wire import Wire

RESENDABLE: Final = frozenset({"email", "discord", "kakao"})
"""The channels that have a form."""
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
State = Literal["scheduled"] | Status

ENDED_BY: Final[frozenset[Status]] = frozenset({"bounced", "complained", "suppressed", "expired"})
"""Statuses that say by themselves why it was not delivered."""
CAUSES: Final = frozenset(
    {
        "provider_refused",
        "provider_unreachable",
        "provider_error",
        "provider_throttled",
        "provider_quota",
        "provider_not_configured",
        "outcome_unknown",
        "attempts_exhausted",
        "template_fault",
        "render_failed",
        "variables_unreadable",
        "kakao_not_linked",
        "kakao_consent_missing",
        "kakao_relink_needed",
        "kakao_refused",
    }
)
"""The error codes that the catalogue explains."""

TONES: Final[dict[Status, str]] = {
    "sent": "ok",
    "delivered": "ok",
    "bounced": "bad",
    "complained": "bad",
    "failed": "bad",
    "retry_wait": "warn",
    "unknown": "warn",
    "suppressed": "warn",
    "expired": "warn",
    "sending": "busy",
    "accepted": "busy",
    "queued": "busy",
}


class Notification(NotificationOut):
    """A notification as it stands."""

    @property
    def state(self) -> State:
        """The status, or `scheduled` until the send time."""
        return "scheduled" if self.status == "accepted" and not self.is_due else self.status

    @property
    def tone(self) -> str:
        """The colour of its state: `ok`, `busy`, `warn`, `bad` or `idle`."""
        return "idle" if self.state == "scheduled" else TONES.get(self.status, "idle")

    @property
    def is_moving(self) -> bool:
        """Whether its status changes by itself before long: the page polls."""
        return self.state in UNFINISHED

    @property
    def is_cancellable(self) -> bool:
        return self.status in CANCELLABLE

    @property
    def is_restorable(self) -> bool:
        """Whether its cancellation can be undone."""
        return self.status == "cancelled" and self.survives_cancellation

    @property
    def survives_cancellation(self) -> bool:
        """False for templates, whose secret variables are deleted, and for what must not arrive twice."""
        is_in_doubt = self.error is not None and self.error.code == "outcome_unknown"
        return self.template is None and not (is_in_doubt and self.guarantee == "at-most-once")

    @property
    def is_due(self) -> bool:
        """Whether its send time has come."""
        return self.send_at is None or self.send_at <= datetime.now(UTC)

    @property
    def is_retryable(self) -> bool:
        """False for templates, whose secret variables are deleted at the end."""
        return self.status in RETRYABLE and self.template is None

    @property
    def is_resendable(self) -> bool:
        """Whether a form can send it again with changes. Messages to channels have theirs on their server's page."""
        return self.channel in RESENDABLE and self.template is None and not isinstance(self.to, DiscordRecipient)

    @property
    def recipient(self) -> str:
        """The address or id."""
        match self.to:
            case EmailRecipient(email=email):
                return email
            case DiscordRecipient(channel_id=channel_id):
                return channel_id
            case TopicRecipient(topic=topic):
                return f"topic:{topic}"
        return str(self.to.user_id)

    @property
    def recipient_name(self) -> str | None:
        return self.to.name if isinstance(self.to, EmailRecipient) else None


class Step(TimelineEntry):
    """An entry of the timeline."""

    @property
    def tone(self) -> str:
        """As of a notification."""
        return TONES.get(self.status, "idle")


@dataclass(frozen=True, slots=True)
class TimedStep:
    """A step, and how long after the previous one it came."""

    step: Step
    waited: timedelta | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The steps of one attempt; number 0 is the acceptance."""

    number: int
    steps: tuple[TimedStep, ...]

    @property
    def outcome(self) -> Step:
        return self.steps[-1].step

    @property
    def took(self) -> timedelta:
        return self.outcome.at - self.steps[0].step.at


class Detail(Notification):
    """A notification and its timeline, oldest first."""

    timeline: list[Step]

    @property
    def attempts(self) -> list[Attempt]:
        """The timeline by attempt."""
        previous = [None, *(step.at for step in self.timeline)]
        timed = [
            TimedStep(step, step.at - before if before is not None else None)
            for step, before in zip(self.timeline, previous, strict=False)
        ]
        return [Attempt(number, tuple(steps)) for number, steps in groupby(timed, lambda one: one.step.attempt)]

    @property
    def cause(self) -> str | None:
        """Why it was not delivered, as a key of the catalogue (`cause.<key>.title`)."""
        if self.status in ENDED_BY:
            return self.status
        if self.error is None or self.status in ("sent", "delivered", "cancelled"):
            return None
        return self.error.code if self.error.code in CAUSES else "other"

    @property
    def version(self) -> str:
        """Changes with everything that the page shows."""
        return f"{self.state}-{len(self.timeline)}-{self.updated_at.timestamp():.6f}"


class Content(NotificationContent):
    """What a notification says. A template has no parts: its variables are secret."""

    def part(self, name: str) -> str:
        """Return a part (`text`; `html` of a mail, `link` of a KakaoTalk message), or nothing."""
        found = (self.content or {}).get(name)
        return found if isinstance(found, str) else ""


class Page(Wire):
    """A page of notifications, newest first."""

    items: list[Notification]
    next: str | None
