"""Applies the events of SES to notifications. Repeated events, and events in any order, end in the same status."""

from typing import Final

from pydantic import ValidationError

from bongsu.contracts.notifications import Status
from bongsu.mixins import Database, Q, utc_now
from bongsu.runtime.errors import FieldError, Invalid
from bongsu.runtime.logging import get_logger
from bongsu_notify.deliveries.outcomes import clean_detail
from bongsu_notify.feedback.effects import Effect, read_effect
from bongsu_notify.feedback.schemas import SesEvent
from bongsu_notify.feedback.sns import SnsMessage, SnsVerifier
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.statuses import sources
from bongsu_notify.notifications.transitions import add_entries
from bongsu_notify.suppressions.service import suppress

log = get_logger(__name__)

SENT_IS_FINAL_S: Final = 72 * 3600.0
"""SES reports a delivery or a bounce within this time; `sent` is final then."""


class Feedback:
    """Receives messages of SNS."""

    def __init__(self, database: Database, verifier: SnsVerifier) -> None:
        self._database = database
        self._verifier = verifier

    async def receive(self, body: bytes) -> None:
        """Verify a message, and apply its event or confirm its subscription.

        :raises Invalid: it is no message of SNS, or its event is malformed.
        :raises FeedbackRefused: it is not signed by SNS, or of a topic that is not allowed.
        :raises FeedbackUnreachable: SNS does not answer.
        """
        try:
            message = SnsMessage.model_validate_json(body)
        except ValidationError as error:
            raise _invalid(error, "body") from None
        await self._verifier.verify(message)
        if message.type != "Notification":
            log.info("feedback.subscription", type=message.type, topic=message.topic_arn)
            if message.type == "SubscriptionConfirmation":
                await self._verifier.confirm(message)
            return
        try:
            event = SesEvent.model_validate_json(message.message)
        except ValidationError as error:
            if message.message.startswith("Successfully validated SNS topic"):
                return  # sent by SES when the topic is set up
            raise _invalid(error, "body", "Message") from None
        effect = read_effect(event)
        if effect is not None and event.mail.notification_id is not None:
            await self._database.run(apply, event, effect)


def _invalid(error: ValidationError, *loc: str) -> Invalid:
    fields = [FieldError((*loc, *one["loc"]), one["msg"]) for one in error.errors(include_url=False)[:10]]
    return Invalid("The body must be a message of Amazon SNS with an event of SES", errors=fields)


async def apply(event: SesEvent, effect: Effect) -> None:
    """Apply an event to its notification."""
    row = await Notification.filter_by(id=event.mail.notification_id).lock().first()
    if row is None:
        log.info("feedback.unmatched", type=event.type)
        return
    is_news = await _apply(row, event, effect)
    # Not again for an event that is repeated: its entry of the list may have been removed since.
    if is_news and effect.suppression is not None and row.mode == "live":
        await suppress(row, effect.suppression, effect.detail)


async def _apply(row: Notification, event: SesEvent, effect: Effect) -> bool:
    """Returns whether the event is a new one."""
    is_earlier = event.mail.attempt <= row.attempts_before  # of a mail that was sent before a retry by hand
    if effect.status is None:
        return not is_earlier and await _note(row, effect)
    if effect.status == "sent" and row.status == "sending":
        # The worker that sends it records the rest; if it is gone, its lease ends with this status.
        if not is_earlier:
            await Notification.filter_by(id=row.id).update(provider_message_id=event.mail.message_id)
        return not is_earlier
    if not is_earlier and await _take_on(row, event, effect):
        return True
    return effect.suppression is not None and await _note(row, effect)


async def _take_on(row: Notification, event: SesEvent, effect: Effect) -> bool:
    assert effect.status is not None  # noqa: S101 - as the caller checked
    before = [status for status in sources(effect.status) if status != "sent"]
    recent = Q(status="sent", updated_at__ge=utc_now(-SENT_IS_FINAL_S))
    may_follow = Q(status__in=before) | (recent if "sent" in sources(effect.status) else Q(status__in=[]))
    changed = await Notification.filter_by(may_follow, id=row.id, attempt__gt=0).update(
        status=effect.status,
        provider_message_id=event.mail.message_id,
        error_code=effect.error_code,
        error_detail=clean_detail(effect.detail) if effect.error_code and effect.detail else None,
        lease_owner=None,
        lease_until=None,
        next_attempt_at=None,
        sealed_variables=None,
        updated_at=utc_now(),
    )
    if changed:
        log.info("feedback.applied", notification_id=str(row.id), status=effect.status)
        await _add_entry(row, effect.status, effect)
    return bool(changed)


async def _note(row: Notification, effect: Effect) -> bool:
    """Add an entry of the timeline. Returns False for one that is there."""
    repeated = NotificationEvent.filter_by(notification_id=row.id, detail=clean_detail(effect.detail or ""))
    if await repeated.exists():
        return False
    await _add_entry(row, row.status, effect)
    return True


async def _add_entry(row: Notification, status: Status, effect: Effect) -> None:
    await add_entries([row], status, clean_detail(effect.detail) if effect.detail else None, utc_now())
