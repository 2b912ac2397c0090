"""The rules of notifications: what is accepted, who sees it, what may be done to it. Needs an open unit of work."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.jobs import DeliveryWakeup, NotificationJob
from bongsu.contracts.queues import DELIVER, LANES, Priority
from bongsu.identity.models import User
from bongsu.mixins import Q
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.errors import (
    IdempotencyMismatch,
    MaySendTwice,
    NotCancellable,
    NotificationNotFound,
    NotRetryable,
    OnTrial,
    SenderNotAllowed,
    WrongTime,
)
from bongsu_notify.notifications.models import Notification, NotificationEvent, RetryKey
from bongsu_notify.notifications.schemas import NotificationIn
from bongsu_notify.notifications.statuses import WAITING, Status

IDEMPOTENCY_WINDOW = timedelta(hours=24)
MAX_AHEAD = timedelta(days=366)
TIMELINE_AT_MOST = 200
RETRYABLE: frozenset[Status] = frozenset({"failed", "expired"})


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf something is asked: `name` keys idempotency, `user_id` owns what is made.

    `sees_all`: staff see everybody's notifications and may retry and cancel them. `off_trial`: the account is known to
    be off trial; where it is not known, it is looked up.
    """

    name: str
    user_id: UUID
    mode: str = "live"
    sees_all: bool = False
    off_trial: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided.

    `sender`: who sends where a body names nobody, as `Name <address>`. `everyone_is_live`: a stand-in does the
    sending, so no account is on trial.
    """

    sender: str
    everyone_is_live: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None does not narrow."""

    status: Status | None = None
    channel: str | None = None
    topic: str | None = None
    recipient: str | None = None


def fingerprint(body: NotificationIn) -> str:
    """Tells two bodies apart, whatever their spacing and the order of their fields.

    A field that is at its default counts as left out, so that one more field in the next release changes nothing.
    """
    given = body.model_dump(mode="json", exclude_defaults=True)
    canonical = json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


async def submit(
    body: NotificationIn, principal: Principal, rules: Rules, *, idempotency_key: str | None
) -> Notification:
    """Accept a notification: the row, its first event and its wake-up, in the caller's transaction.

    :raises bongsu.mixins.Conflict: the principal used this idempotency key before; see `replay`.
    :raises IdempotencyMismatch: it was a retry's.
    :raises WrongTime: a time has passed, or is too far ahead.
    :raises SenderNotAllowed: `from` is not the operator's address.
    :raises OnTrial: the account may not send to this address yet.
    """
    _check_times(body)
    await _check_may_send(body, principal, rules)
    if idempotency_key is not None:
        await _check_no_use_of(RetryKey, principal, idempotency_key)
    made = Notification(
        user_id=principal.user_id,
        principal=principal.name,
        idempotency_key=idempotency_key,
        fingerprint=fingerprint(body) if idempotency_key is not None else None,
        mode=principal.mode,
        channel=body.channel,
        recipient=body.to.email,
        recipient_name=body.to.name,
        sender=str(Address(body.sender.name or "", addr_spec=body.sender.email)) if body.sender else None,
        reply_to=body.reply_to,
        subject=body.content.subject,
        text=body.content.text,
        html=body.content.html,
        category=body.category,
        topic=body.topic,
        priority=body.priority,
        guarantee=body.guarantee,
        send_at=body.send_at,
        expires_at=body.expires_at,
        details=body.metadata,
        status="accepted",
    )
    return await _accept(made)


def _check_times(body: NotificationIn) -> None:
    now = datetime.now(UTC)
    for name, at in (("send_at", body.send_at), ("expires_at", body.expires_at)):
        if at is not None and at > now + MAX_AHEAD:
            raise WrongTime(name, "must be within a year")
    if body.expires_at is not None and body.expires_at <= now:
        raise WrongTime("expires_at", "must be later than now")


async def _check_no_use_of(model: type[Notification | RetryKey], principal: Principal, idempotency_key: str) -> None:
    same = model.filter_by(principal=principal.name, idempotency_key=idempotency_key)
    if await same.filter_by(created_at__ge=datetime.now(UTC) - IDEMPOTENCY_WINDOW).exists():
        raise IdempotencyMismatch


async def _check_may_send(body: NotificationIn, principal: Principal, rules: Rules) -> None:
    operator = parseaddr(rules.sender)[1].lower()
    if body.sender is not None and body.sender.email != operator:
        raise SenderNotAllowed(operator)
    if rules.everyone_is_live or principal.off_trial or principal.mode == "test" or is_simulated(body.to.email):
        return
    user = await User.get_or_none(principal.user_id)
    if user is None or not (user.sending == "live" or (user.is_verified and user.email == body.to.email)):
        raise OnTrial


async def submit_job(job: NotificationJob) -> Notification | None:
    """Accept a mail that a service asked for. None if this very job was accepted before."""
    if await Notification.filter_by(id=job.id).exists():
        return None
    made = Notification(
        id=job.id,
        user_id=job.user_id,
        principal="system",
        channel="email",
        recipient=job.to.email,
        recipient_name=job.to.name,
        template=job.template,
        locale=job.locale,
        sealed_variables=job.sealed_variables,
        priority=job.priority,
        expires_at=job.expires_at,
        status="accepted",
    )
    return await _accept(made)


async def _accept(made: Notification) -> Notification:
    await made.save()
    await NotificationEvent.bulk_create([{"notification_id": made.id, "status": made.status}])
    await _wake(made.id, made.priority, at=made.send_at)
    return made


async def _wake(notification_id: UUID, priority: Priority, *, at: datetime | None = None) -> None:
    body = DeliveryWakeup(notification_id=notification_id).model_dump(mode="json")
    await outbox.append(DELIVER[priority], body, lane=LANES[priority], at=at)


async def replay(body: NotificationIn, principal: Principal, *, idempotency_key: str) -> Notification | None:
    """What this key made before; None if that is longer ago than the window, and the key is free again.

    :raises IdempotencyMismatch: it was made from another body.
    """
    found = await Notification.filter_by(principal=principal.name, idempotency_key=idempotency_key).first()
    if found is None:
        return None
    if found.created_at < datetime.now(UTC) - IDEMPOTENCY_WINDOW:
        await found.update(idempotency_key=None)
        return None
    if found.fingerprint != fingerprint(body):
        raise IdempotencyMismatch
    return found


async def find(notification_id: UUID, principal: Principal) -> Notification:
    """A notification that the principal may see.

    :raises NotificationNotFound: there is none, or it is another's.
    """
    found = await Notification.get_or_none(notification_id)
    if found is None or not (principal.sees_all or found.user_id == principal.user_id):
        raise NotificationNotFound
    return found


async def timeline(notification_id: UUID) -> Sequence[NotificationEvent]:
    """What happened to a notification, oldest first: all of it, or the newest `TIMELINE_AT_MOST` steps."""
    steps = NotificationEvent.filter_by(notification_id=notification_id).order_by("-id").limit(TIMELINE_AT_MOST)
    return (await steps.all())[::-1]


async def listed(
    principal: Principal, filters: Filters, *, limit: int, after: UUID | None
) -> tuple[Sequence[Notification], UUID | None]:
    """A page, newest first, and the id to continue after (None at the end)."""
    narrowed: dict[str, object] = {
        name: value
        for name, value in (
            ("status", filters.status),
            ("channel", filters.channel),
            ("topic", filters.topic),
            ("recipient", filters.recipient),
        )
        if value is not None
    }
    if not principal.sees_all:
        narrowed["user_id"] = principal.user_id
    if after is not None:
        narrowed["id__lt"] = after
    found = await Notification.filter_by(**narrowed).order_by("-id").limit(limit + 1).all()
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


async def cancel(notification_id: UUID, principal: Principal) -> Notification:
    """Keep a notification that waits from being sent. Cancelling twice is cancelling once.

    :raises NotCancellable: it is with the provider, or ended.
    """
    found = await find(notification_id, principal)
    if found.status == "cancelled":
        return found
    # A compare-and-set: a worker may claim it this very moment, and then it is being sent.
    changed = await Notification.filter_by(id=found.id, status__in=sorted(WAITING)).update(
        status="cancelled", next_attempt_at=None, sealed_variables=None, updated_at=datetime.now(UTC)
    )
    if not changed:
        raise NotCancellable(found.status)
    await NotificationEvent.create(notification_id=found.id, status="cancelled", attempt=found.attempt)
    return found


async def retry(notification_id: UUID, principal: Principal, *, idempotency_key: str | None) -> Notification:
    """Try once more what failed or expired, with its attempts counted from nought.

    :raises bongsu.mixins.Conflict: the principal used this idempotency key before; see `replay_retry`.
    :raises IdempotencyMismatch: it was a submission's.
    :raises NotRetryable: it did not end that way, or its secret variables are gone.
    :raises MaySendTwice: it may have been sent, and may be sent once at most.
    """
    found = await find(notification_id, principal)
    if found.guarantee == "at-most-once" and found.error_code == "outcome_unknown":
        raise MaySendTwice
    can_be_made = Q(template=None) | Q(sealed_variables__isnull=False)
    changed = await Notification.filter_by(can_be_made, id=found.id, status__in=sorted(RETRYABLE)).update(
        status="queued", attempt=0, expires_at=None, error_code=None, error_detail=None, updated_at=datetime.now(UTC)
    )
    if not changed:
        raise NotRetryable(found.status)
    await NotificationEvent.create(notification_id=found.id, status="queued", detail="retried by hand")
    await _wake(found.id, found.priority)
    if idempotency_key is not None:
        await _check_no_use_of(Notification, principal, idempotency_key)
        await RetryKey.filter_by(
            principal=principal.name, created_at__lt=datetime.now(UTC) - IDEMPOTENCY_WINDOW
        ).delete()
        await RetryKey.create(principal=principal.name, idempotency_key=idempotency_key, notification_id=found.id)
    return found


async def replay_retry(notification_id: UUID, principal: Principal, *, idempotency_key: str) -> Notification | None:
    """What this key retried before, as it stands now; None if nothing within the window.

    :raises IdempotencyMismatch: it was another notification.
    """
    since = datetime.now(UTC) - IDEMPOTENCY_WINDOW
    used = await RetryKey.filter_by(
        principal=principal.name, idempotency_key=idempotency_key, created_at__ge=since
    ).first()
    if used is None:
        return None
    if used.notification_id != notification_id:
        raise IdempotencyMismatch
    return await find(notification_id, principal)
