"""What the events of SES make of a notification, in any order and however often they come."""

import itertools
import json

import pytest

from bongsu.contracts.notifications import Status
from bongsu.mixins import Database, utc_now, uuid7
from bongsu_notify.channels.port import OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.deliveries import outcomes as rules
from bongsu_notify.deliveries.service import Deliveries
from bongsu_notify.feedback.service import Feedback
from bongsu_notify.feedback.sns import SnsVerifier
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.suppressions.models import SYSTEM, Suppression
from services.notify.tests.feedback.signing import TOPIC, body, certificate, sign
from services.notify.tests.rows import email_row

DELIVERIES = Deliveries(lease_s=60, max_attempts=8)
PARTS: dict[str, dict[str, object]] = {
    "Bounce": {"bounce": {"bounceType": "Permanent", "bounceSubType": "General"}},
    "Soft bounce": {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull"}},
    "Complaint": {"complaint": {"complaintFeedbackType": "abuse"}},
    "Not spam": {"complaint": {"complaintFeedbackType": "not-spam"}},
    "Reject": {"reject": {"reason": "Bad content"}},
    "Rendering Failure": {"failure": {"errorMessage": "Attribute 'name' is not present"}},
    "DeliveryDelay": {"deliveryDelay": {"delayType": "MailboxFull", "timestamp": "2026-11-28T00:00:00Z"}},
}
TYPES = {"Soft bounce": "Bounce", "Not spam": "Complaint"}


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


@pytest.fixture
def feedback(database: Database) -> Feedback:
    async def fetch(_url: str) -> bytes:
        return certificate()

    return Feedback(database, SnsVerifier([TOPIC], fetch))


def event(name: str, one: Notification, *, attempt: int = 1) -> bytes:
    tags = {"notification_id": [str(one.id)], "attempt": [str(attempt)], "ses:caller-identity": ["bongsu"]}
    mail = {"messageId": "m-1", "timestamp": "2026-11-28T00:00:00Z", "tags": tags}
    return body(sign(Message=json.dumps({"eventType": TYPES.get(name, name), "mail": mail} | PARTS.get(name, {}))))


async def accept(database: Database, **values: object) -> Notification:
    async with database.unit():
        return await email_row(**({"status": "accepted"} | values)).save()


async def send(database: Database, one: Notification, outcome: Sent | OutcomeUnknown | None) -> None:
    """Claim and mark it as the worker does; without an outcome, the worker is still sending."""
    async with database.unit():
        claims = await DELIVERIES.claim([one.id])
        if outcome is not None:
            await DELIVERIES.mark(claims, {one.id: outcome})


async def wake(database: Database, one: Notification) -> Notification:
    """A wake-up comes, and nothing is sent."""
    async with database.unit():
        assert not (await DELIVERIES.claim([one.id])).claimed
        return await Notification.get(one.id)


async def status_of(database: Database, one: Notification) -> Status:
    async with database.unit():
        return (await Notification.get(one.id)).status


async def state_of(database: Database, one: Notification) -> tuple[object, ...]:
    """All that an event may change."""
    async with database.unit():
        row = await Notification.get(one.id)
        entries = await NotificationEvent.filter_by(notification_id=one.id).order_by("id").pluck("id")
        listed = await Suppression.filter_by().pluck("id")
        return row.status, row.error_code, row.provider_message_id, row.updated_at, entries, listed


class TestOrder:
    @pytest.mark.parametrize(
        ("names", "status"),
        [
            (("Send", "Delivery"), "delivered"),
            (("Delivery", "Bounce"), "bounced"),
            (("Delivery", "Complaint"), "complained"),
            (("Delivery", "Soft bounce"), "bounced"),
            (("Delivery", "Not spam", "DeliveryDelay"), "delivered"),
            (("Send", "Delivery", "Bounce", "Complaint"), "complained"),
        ],
    )
    async def test_every_order_ends_in_the_strongest_status(
        self, database: Database, feedback: Feedback, names: tuple[str, ...], status: Status
    ) -> None:
        for order in itertools.permutations(names):
            one = await accept(database, recipient=f"{uuid7().hex}@example.com")
            await send(database, one, Sent("m-1"))
            for name in (*order, *order):
                await feedback.receive(event(name, one))
            assert await status_of(database, one) == status
            async with database.unit():
                entries = await NotificationEvent.filter_by(notification_id=one.id).values_list("status", "detail")
            assert len(set(entries)) == len(entries), "a repeated event adds no entry"

    @pytest.mark.parametrize("name", ["Send", "Delivery", *PARTS])
    async def test_message_that_sns_repeats_changes_nothing_then_or_after_a_retry(
        self, database: Database, feedback: Feedback, name: str
    ) -> None:
        """SNS delivers at least once, and its message ids are not stored: the states make a repetition harmless."""
        one = await accept(database)
        await send(database, one, Sent("m-1"))
        message = event(name, one)
        await feedback.receive(message)
        before = await state_of(database, one)
        await feedback.receive(message)
        assert await state_of(database, one) == before
        async with database.unit():
            await Suppression.filter_by().unfiltered().delete()  # staff removed the entry, and retried
            await Notification.filter_by(id=one.id).update(status="queued", attempts_before=1, error_code=None)
        await send(database, one, Sent("m-2"))
        before = await state_of(database, one)
        await feedback.receive(message)
        assert await state_of(database, one) == before

    @pytest.mark.parametrize(
        ("name", "code"), [("Reject", "provider_rejected"), ("Rendering Failure", "rendering_failure")]
    )
    async def test_mail_that_ses_did_not_send_fails(
        self, database: Database, feedback: Feedback, name: str, code: str
    ) -> None:
        one = await accept(database)
        await send(database, one, Sent("m-1"))
        await feedback.receive(event(name, one))
        async with database.unit():
            row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("failed", code)

    async def test_sent_is_final_after_72_hours(self, database: Database, feedback: Feedback) -> None:
        one = await accept(database)
        await send(database, one, Sent("m-1"))
        async with database.unit():
            await Notification.filter_by(id=one.id).update(updated_at=utc_now(-73 * 3600))
        await feedback.receive(event("Delivery", one))
        assert await status_of(database, one) == "sent"

    async def test_event_before_a_retry_by_hand_changes_nothing(self, database: Database, feedback: Feedback) -> None:
        one = await accept(database, status="queued", attempt=1, attempts_before=1)
        await feedback.receive(event("Delivery", one))
        assert await status_of(database, one) == "queued"

    async def test_event_of_an_unknown_mail_is_accepted(self, feedback: Feedback) -> None:
        await feedback.receive(event("Bounce", Notification(id=uuid7())))
        await feedback.receive(body(sign(Message='{"eventType": "Open", "mail": {"messageId": "m"}}')))


class TestUnknown:
    @pytest.mark.parametrize("guarantee", ["at-least-once", "at-most-once"])
    async def test_send_event_ends_an_unknown_outcome(
        self, database: Database, feedback: Feedback, guarantee: str
    ) -> None:
        one = await accept(database, guarantee=guarantee)
        await send(database, one, OutcomeUnknown("lost"))
        assert await status_of(database, one) == "unknown"
        await feedback.receive(event("Send", one))
        row = await wake(database, one)
        assert (row.status, row.provider_message_id, row.error_code) == ("sent", "m-1", None)

    @pytest.mark.parametrize("guarantee", ["at-least-once", "at-most-once"])
    @pytest.mark.parametrize("marks", [True, False])
    async def test_mail_is_not_sent_again_when_its_send_event_came_before_its_outcome(
        self, database: Database, feedback: Feedback, guarantee: str, marks: bool
    ) -> None:
        one = await accept(database, guarantee=guarantee)
        async with database.unit():
            claims = await DELIVERIES.claim([one.id])
        await feedback.receive(event("Send", one))
        async with database.unit():
            if marks:
                await DELIVERIES.mark(claims, {one.id: OutcomeUnknown("lost")})
            await Notification.filter_by(id=one.id, status="unknown").update(next_attempt_at=utc_now(-1))
            await Notification.filter_by(id=one.id, status="sending").update(lease_until=utc_now(-1))
        assert (await wake(database, one)).status == "sent"

    @pytest.mark.parametrize("outcome", [TryLater("provider_throttled", "too fast"), Refused("provider_refused", "no")])
    async def test_mail_is_not_sent_again_when_the_send_event_of_an_earlier_attempt_came_during_a_later_one(
        self, database: Database, feedback: Feedback, outcome: TryLater | Refused
    ) -> None:
        """The first attempt's outcome was unknown; the provider did not accept the second."""
        one = await accept(database)
        await send(database, one, OutcomeUnknown("lost"))
        async with database.unit():
            await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        async with database.unit():
            claims = await DELIVERIES.claim([one.id])
        assert [row.attempt for row in claims.claimed] == [2]
        await feedback.receive(event("Send", one, attempt=1))
        async with database.unit():
            await DELIVERIES.mark(claims, {one.id: outcome})
            await Notification.filter_by(id=one.id).update(next_attempt_at=None)
        row = await wake(database, one)
        assert (row.status, row.provider_message_id, row.error_code) == ("sent", "m-1", None)

    async def test_at_most_once_fails_when_no_event_came_in_time(self, database: Database) -> None:
        one = await accept(database, guarantee="at-most-once")
        await send(database, one, None)
        async with database.unit():
            await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
        waiting = await wake(database, one)
        assert waiting.status == "unknown"
        assert waiting.next_attempt_at is not None
        assert (waiting.next_attempt_at - waiting.updated_at).total_seconds() == pytest.approx(rules.UNKNOWN_ENDS_S)
        assert (await wake(database, one)).status == "unknown"
        async with database.unit():
            await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        row = await wake(database, one)
        assert (row.status, row.error_code) == ("failed", "outcome_unknown")

    async def test_delivery_ends_a_mail_whose_worker_is_gone(self, database: Database, feedback: Feedback) -> None:
        one = await accept(database)
        await send(database, one, None)
        await feedback.receive(event("Delivery", one))
        assert await status_of(database, one) == "delivered"


class TestSuppression:
    @pytest.mark.parametrize("name", ["Bounce", "Complaint"])
    async def test_next_mail_to_the_address_is_suppressed(
        self, database: Database, feedback: Feedback, name: str
    ) -> None:
        owner = uuid7()
        one = await accept(database, user_id=owner)
        await send(database, one, Sent("m-1"))
        await feedback.receive(event(name, one))
        following, others = await accept(database, user_id=owner), await accept(database, user_id=uuid7())
        row = await wake(database, following)
        assert row.status == "suppressed"
        async with database.unit():
            assert len((await DELIVERIES.claim([others.id])).claimed) == 1, "the list is of its owner"
            await Suppression.filter_by(user_id=owner).delete()
            again = await email_row(status="accepted", user_id=owner).save()
            assert len((await DELIVERIES.claim([again.id])).claimed) == 1

    @pytest.mark.parametrize("attempts_before", [0, 1])
    async def test_repeated_event_adds_no_entry_that_was_removed(
        self, database: Database, feedback: Feedback, attempts_before: int
    ) -> None:
        one = await accept(database)
        await send(database, one, Sent("m-1"))
        async with database.unit():
            await Notification.filter_by(id=one.id).update(attempts_before=attempts_before)
        await feedback.receive(event("Bounce", one))
        async with database.unit():
            assert await Suppression.filter_by(recipient=one.recipient).delete() == 1
        await feedback.receive(event("Bounce", one))
        async with database.unit():
            assert not await Suppression.row_count()
            assert await NotificationEvent.filter_by(notification_id=one.id, detail="Permanent, General").count() == 1

    async def test_mails_of_the_system_have_a_list_of_their_own(self, database: Database, feedback: Feedback) -> None:
        one = await accept(database, user_id=None)
        await send(database, one, Sent("m-1"))
        await feedback.receive(event("Bounce", one))
        assert (await wake(database, await accept(database, user_id=None))).status == "suppressed"
        async with database.unit():
            assert await Suppression.filter_by().pluck("user_id") == [SYSTEM]

    @pytest.mark.parametrize("name", ["Soft bounce", "Not spam", "Delivery", "DeliveryDelay", "Reject"])
    async def test_other_events_suppress_nothing(self, database: Database, feedback: Feedback, name: str) -> None:
        one = await accept(database)
        await send(database, one, Sent("m-1"))
        await feedback.receive(event(name, one))
        async with database.unit():
            assert not await Suppression.filter_by().exists()
