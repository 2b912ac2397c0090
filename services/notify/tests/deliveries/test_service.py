from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
import time_machine

from bongsu.contracts.notifications import CANCELLABLE, FINAL, RETRYABLE, Guarantee, Status
from bongsu.mixins import Database, utc_now, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.deliveries import outcomes as rules
from bongsu_notify.deliveries import service
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.notifications.statuses import NEXT, sources
from services.notify.tests.rows import email_row

LEASE_S = 60.0
MAX_ATTEMPTS = 3
PAST = datetime(2026, 1, 1, tzinfo=UTC)
DELIVERIES = Deliveries(lease_s=LEASE_S, max_attempts=MAX_ATTEMPTS)


@pytest.fixture
def database(each_database: Database) -> Database:
    return each_database


async def _notification(**values: object) -> Notification:
    return await email_row(**({"status": "accepted"} | values)).save()


async def _claim(database: Database, *ids: UUID) -> Claims:
    async with database.unit():
        return await DELIVERIES.claim([*ids])


async def _timeline(one: Notification) -> list[tuple[Status, int]]:
    events = await NotificationEvent.filter_by(notification_id=one.id).order_by("id").all()
    return [(event.status, event.attempt) for event in events]


async def _secrets(one: Notification) -> str | None:
    (secrets,) = await Notification.filter_by(id=one.id).pluck("sealed_variables")
    assert secrets is None or isinstance(secrets, str)
    return secrets


class TestClaim:
    async def test_claim_takes_a_lease_when_the_notification_waits(self, database: Database) -> None:
        one = await _notification()
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert [claimed.id for claimed in claims.claimed] == [one.id]
        assert (row.status, row.attempt, row.lease_owner) == ("sending", 1, claims.claimed[0].lease_owner)
        assert await Notification.filter_by(
            lease_until__gt=utc_now(LEASE_S - 5), lease_until__lt=utc_now(LEASE_S + 5)
        ).exists()
        assert await _timeline(one) == [("sending", 1)]

    async def test_claim_returns_the_content(self, database: Database) -> None:
        one = await _notification(content={"text": "봉수", "html": "<p>봉수</p>"})
        other = await _notification(content=None, template="verify-email", sealed_variables="k1.secret")
        claims = await _claim(database, one.id, other.id)
        assert claims.contents == {
            one.id: Content({"text": "봉수", "html": "<p>봉수</p>"}, None),
            other.id: Content({}, "k1.secret"),
        }

    @pytest.mark.parametrize("left_s", [LEASE_S, 10])
    async def test_claim_wakes_again_after_the_lease_when_another_worker_holds_it(
        self, database: Database, left_s: int
    ) -> None:
        one = await _notification()
        await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(lease_until=utc_now(left_s))
        second = await _claim(database, one.id)
        assert not second.claimed
        assert second.later == {one.id: pytest.approx(left_s, abs=5)}
        assert second.later[one.id] <= left_s
        assert not second.settled

    async def test_claim_takes_over_an_expired_lease_when_the_guarantee_is_at_least_once(
        self, database: Database
    ) -> None:
        one = await _notification(status="sending", attempt=1, lease_owner=uuid7(), lease_until=_ago(1))
        claims = await _claim(database, one.id)
        assert [claimed.attempt for claimed in claims.claimed] == [2]

    async def test_claim_waits_for_an_event_when_a_lease_expired_and_the_guarantee_is_at_most_once(
        self, database: Database
    ) -> None:
        one = await _notification(
            status="sending", attempt=1, lease_owner=uuid7(), lease_until=_ago(1), guarantee="at-most-once"
        )
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("unknown", "outcome_unknown")
        assert claims.later == {one.id: rules.UNKNOWN_ENDS_S}

    async def test_claim_reports_an_unknown_outcome_when_the_last_attempt_may_have_been_sent(
        self, database: Database
    ) -> None:
        one = await _notification(
            status="sending",
            attempt=MAX_ATTEMPTS,
            lease_owner=uuid7(),
            lease_until=_ago(1),
            guarantee="at-most-once",
        )
        await _claim(database, one.id)
        assert (await Notification.get(one.id)).error_code == "outcome_unknown"

    async def test_claim_wakes_at_the_next_attempt_when_the_notification_waits_for_it(self, database: Database) -> None:
        one = await _notification(status="retry_wait", attempt=1, next_attempt_at=_ago(-3600))
        claims = await _claim(database, one.id)
        assert not claims.claimed
        assert claims.later[one.id] == pytest.approx(3600, abs=60)

    async def test_claim_uses_the_database_clock_when_the_worker_clock_is_wrong(self, database: Database) -> None:
        one = await _notification(status="retry_wait", attempt=1, next_attempt_at=_ago(-3600))
        with time_machine.travel(_ago(600)):
            claims = await _claim(database, one.id)
        assert claims.later[one.id] == pytest.approx(3600, abs=60)

    @pytest.mark.parametrize("guarantee", ["at-least-once", "at-most-once"])
    async def test_claim_succeeds_again_when_the_same_owner_repeats_it(
        self, database: Database, guarantee: Guarantee
    ) -> None:
        """The first commit succeeded, but the connection was lost before its confirmation."""
        one, owner = await _notification(guarantee=guarantee), uuid7()
        claimed: list[list[UUID]] = []
        for _ in range(2):
            async with database.unit():
                claims = await DELIVERIES.claim([one.id], owner=owner)
            claimed.append([each.id for each in claims.claimed])
        assert claimed == [[one.id], [one.id]]

    @pytest.mark.parametrize("status", ["sent", "delivered", "bounced", "failed", "cancelled", "suppressed", "expired"])
    async def test_claim_settles_the_wake_up_when_the_notification_ended(
        self, database: Database, status: Status
    ) -> None:
        one = await _notification(status=status)
        claims = await _claim(database, one.id)
        assert not claims.claimed
        assert claims.settled == {one.id}

    async def test_claim_settles_the_wake_up_when_the_notification_does_not_exist(self, database: Database) -> None:
        stranger = uuid7()
        assert (await _claim(database, stranger)).settled == {stranger}

    async def test_claim_expires_the_notification_and_deletes_its_secrets_when_expires_at_passed(
        self, database: Database
    ) -> None:
        one = await _notification(expires_at=_ago(1), sealed_variables="k1.secret")
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert (row.status, await _secrets(one)) == ("expired", None)
        assert claims.settled == {one.id}
        assert await _timeline(one) == [("expired", 0)]

    @pytest.mark.parametrize(
        "values",
        [{"attempt": MAX_ATTEMPTS}, {"attempt": MAX_ATTEMPTS + 2, "attempts_before": 2}, {"expires_at": PAST}],
        ids=["last attempt", "last attempt after a retry by hand", "expired"],
    )
    async def test_mail_that_was_in_flight_at_a_crash_ends_by_its_event_when_it_may_not_be_sent_again(
        self, database: Database, values: Mapping[str, object]
    ) -> None:
        """It may have been sent: it must not be failed before SES can have reported it, nor sent once more."""
        ones = [
            await _notification(
                **{"status": "sending", "attempt": 1, "lease_owner": uuid7(), "lease_until": _ago(1), **values}
            )
            for _ in range(2)
        ]
        ids = [one.id for one in ones]
        claims = await _claim(database, *ids)
        assert not claims.claimed
        assert claims.later == dict.fromkeys(ids, rules.UNKNOWN_ENDS_S)
        assert await Notification.filter_by(id__in=ids, status="unknown").count() == 2
        await Notification.filter_by(id=ids[0]).update(provider_message_id="m-1")
        await Notification.filter_by(id__in=ids).update(next_attempt_at=utc_now(-1))
        assert (await _claim(database, *ids)).settled == {*ids}
        rows = [await Notification.get(one) for one in ids]
        assert [(row.status, row.error_code) for row in rows] == [("sent", None), ("failed", "outcome_unknown")]

    async def test_claim_fails_the_notification_when_it_waits_with_its_attempts_exhausted(
        self, database: Database
    ) -> None:
        one = await _notification(status="retry_wait", attempt=MAX_ATTEMPTS)
        assert (await _claim(database, one.id)).settled == {one.id}
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("failed", "attempts_exhausted")

    async def test_unconfirmed_claim_of_the_last_attempt_is_sent_when_its_owner_repeats_it(
        self, database: Database
    ) -> None:
        """Nothing was sent under the claim whose commit was not confirmed: it spends no attempt."""
        one, owners = await _notification(attempt=MAX_ATTEMPTS - 1), [uuid7() for _ in range(3)]
        attempts: list[int] = []
        for number, owner in enumerate(owners):
            async with database.unit():
                claims = await DELIVERIES.claim([one.id], owner=owner, earlier=owners[:number])
            attempts += [row.attempt for row in claims.claimed]
        assert attempts == [MAX_ATTEMPTS] * 3
        assert not (await _claim(database, one.id)).claimed

    async def test_claim_takes_a_whole_batch(self, database: Database) -> None:
        ids = [(await _notification()).id for _ in range(20)]
        assert {one.id for one in (await _claim(database, *ids)).claimed} == set(ids)


class TestTimeline:
    @pytest.mark.parametrize("off_s", [600, -600])
    async def test_timeline_is_in_order_when_the_worker_clock_is_wrong(self, database: Database, off_s: float) -> None:
        notifications = Notifications(database, {}, everyone_is_live=True)
        one = await _notification(user_id=uuid7())
        await NotificationEvent.bulk_create(
            [{"notification_id": one.id, "status": "accepted", "created_at": utc_now()}]
        )
        with time_machine.travel(_ago(off_s)):
            claims = await _claim(database, one.id)
            async with database.unit():
                await DELIVERIES.mark(claims, {one.id: Sent("ses-1")})
        everyone = Principal("user:1", uuid7(), sees_all=True)
        _, timeline = await notifications.find_with_timeline(one.id, everyone)
        assert [entry.status for entry in timeline] == ["accepted", "sending", "sent"]
        assert all(abs((entry.at - datetime.now(UTC)).total_seconds()) < 300 for entry in timeline)


class TestCancel:
    async def test_notification_is_not_sent_again_when_cancelled_while_its_outcome_is_unknown(
        self, database: Database
    ) -> None:
        one = await _notification(status="unknown", attempt=1, next_attempt_at=_ago(1))
        staff = Principal("user:1", uuid7(), sees_all=True)
        async with database.unit():
            await Notifications(database, {}, everyone_is_live=True).cancel(one.id, staff)
        assert (await _claim(database, one.id)).settled == {one.id}
        assert (await Notification.get(one.id)).status == "cancelled"
        assert await NotificationEvent.filter_by(notification_id=one.id, detail="it may have been sent before").exists()


class TestStatuses:
    def test_table_names_every_status_and_keeps_final_ones(self) -> None:
        assert {*NEXT} == {*get_args(Status)}
        assert sources("cancelled") == sorted(CANCELLABLE)
        assert sources("queued") == sorted(RETRYABLE)
        assert sources("accepted") == ["cancelled"]
        assert all("sending" not in NEXT[status] for status in FINAL)


class TestRelease:
    async def test_release_lets_the_leases_of_dead_workers_be_claimed(self, database: Database) -> None:
        one = await _notification()
        await _claim(database, one.id)
        assert await service.release() == 1
        assert [claimed.attempt for claimed in (await _claim(database, one.id)).claimed] == [2]


class TestMark:
    async def test_mark_stores_the_message_id_and_ends_the_lease_when_sent(self, database: Database) -> None:
        one = await _notification(sealed_variables="k1.secret")
        marked = await self._mark(database, one, Sent("ses-1"))
        row = await Notification.get(one.id)
        assert (row.status, row.provider_message_id) == ("sent", "ses-1")
        assert (row.lease_owner, row.lease_until, await _secrets(one)) == (None, None, None)
        assert marked.settled == {one.id}
        assert await _timeline(one) == [("sending", 1), ("sent", 1)]

    async def test_mark_adds_both_statuses_when_the_provider_reports_the_result_immediately(
        self, database: Database
    ) -> None:
        one = await _notification()
        await self._mark(database, one, Sent("sim-1", "bounced"))
        assert await _timeline(one) == [("sending", 1), ("sent", 1), ("bounced", 1)]

    async def test_mark_fails_with_the_reason_when_refused(self, database: Database) -> None:
        one = await _notification()
        await self._mark(database, one, Refused("provider_refused", "bad address"))
        row = await Notification.get(one.id)
        assert (row.status, row.error_code, row.error_detail) == ("failed", "provider_refused", "bad address")

    async def test_mark_keeps_the_secrets_when_the_notification_is_retried(self, database: Database) -> None:
        one = await _notification(sealed_variables="k1.secret")
        marked = await self._mark(database, one, TryLater("provider_error", "500"))
        row = await Notification.get(one.id)
        assert (row.status, row.attempt, await _secrets(one)) == ("retry_wait", 1, "k1.secret")
        assert marked.later[one.id] == pytest.approx(5, rel=0.21)

    async def test_mark_spends_no_attempt_when_throttled(self, database: Database) -> None:
        one = await _notification()
        await self._mark(database, one, TryLater("provider_throttled", "", delay_s=1, spends_attempt=False))
        assert (await Notification.get(one.id)).attempt == 0

    async def test_mark_adds_one_entry_when_deferred_repeatedly_for_the_same_reason(self, database: Database) -> None:
        one = await _notification()
        for _ in range(5):
            await self._defer(database, one, "provider_throttled")
        assert await _timeline(one) == [("sending", 1), ("retry_wait", 1)]
        await self._defer(database, one, "provider_quota")
        await self._mark(database, one, Sent("ses-1"))
        assert await _timeline(one) == [
            *[("sending", 1), ("retry_wait", 1)],
            *[("sending", 1), ("retry_wait", 1)],
            *[("sending", 1), ("sent", 1)],
        ]

    async def test_mark_adds_an_entry_when_a_new_attempt_fails_like_the_last(self, database: Database) -> None:
        one = await _notification()
        for _ in range(2):
            await self._mark(database, one, TryLater("provider_error", "500"))
            await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        assert await _timeline(one) == [("sending", 1), ("retry_wait", 1), ("sending", 2), ("retry_wait", 2)]

    @pytest.mark.parametrize(
        ("accepted_ago_s", "due_ago_s", "delay_s"), [(0, None, 1), (40, None, 10), (3600, None, 15), (3600, 0, 1)]
    )
    async def test_deferral_grows_with_the_age_of_the_notification(
        self, database: Database, accepted_ago_s: float, due_ago_s: float | None, delay_s: float
    ) -> None:
        send_at = None if due_ago_s is None else _ago(due_ago_s)
        one = await _notification(created_at=_ago(accepted_ago_s), send_at=send_at)
        marked = await self._defer(database, one, "provider_throttled")
        assert marked.later[one.id] == pytest.approx(delay_s, rel=0.4)

    async def test_deferral_lasts_longer_when_the_provider_asks_for_it(self, database: Database) -> None:
        one = await _notification(created_at=_ago(3600))
        marked = await self._mark(database, one, TryLater("provider_quota", "", delay_s=900, spends_attempt=False))
        assert marked.later[one.id] == pytest.approx(900, rel=0.21)

    async def test_mark_fails_the_notification_when_the_last_attempt_fails(self, database: Database) -> None:
        one = await _notification(attempt=MAX_ATTEMPTS - 1)
        marked = await self._mark(database, one, TryLater("provider_error", "500"))
        assert (await Notification.get(one.id)).status == "failed"
        assert marked.settled == {one.id}

    async def test_attempts_start_over_without_reusing_their_numbers_when_retried_by_hand(
        self, database: Database
    ) -> None:
        one = await _notification(attempt=MAX_ATTEMPTS, attempts_before=MAX_ATTEMPTS)
        marked = await self._mark(database, one, TryLater("provider_error", "500"))
        row = await Notification.get(one.id)
        assert (row.status, row.attempt) == ("retry_wait", MAX_ATTEMPTS + 1)
        assert marked.later[one.id] == pytest.approx(5, rel=0.21)

    async def test_unknown_outcome_is_sent_again_when_the_guarantee_is_at_least_once(self, database: Database) -> None:
        one = await _notification()
        marked = await self._mark(database, one, OutcomeUnknown("ReadTimeoutError"))
        assert (await Notification.get(one.id)).status == "unknown"
        assert marked.later == {one.id: rules.UNKNOWN_BACKOFF_S[0]}
        await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        assert [claimed.attempt for claimed in (await _claim(database, one.id)).claimed] == [2]

    async def test_last_attempt_with_an_unknown_outcome_waits_for_an_event(self, database: Database) -> None:
        one = await _notification(attempt=MAX_ATTEMPTS - 1)
        marked = await self._mark(database, one, OutcomeUnknown("ReadTimeoutError"))
        assert marked.later == {one.id: rules.UNKNOWN_ENDS_S}

    async def test_unknown_outcomes_wait_longer_with_each_attempt(self, database: Database) -> None:
        waits, deliveries = [], Deliveries(lease_s=LEASE_S, max_attempts=8)
        for attempt in (0, 1, 2, 3, 4):
            one = await _notification(attempt=attempt)
            async with database.unit():
                claims = await deliveries.claim([one.id])
            async with database.unit():
                marked = await deliveries.mark(claims, {one.id: OutcomeUnknown("ReadTimeoutError")})
            waits.append(marked.later[one.id])
        assert waits == [30, 30, 120, 600, 600]

    async def test_unknown_outcome_waits_for_an_event_when_the_guarantee_is_at_most_once(
        self, database: Database
    ) -> None:
        one = await _notification(guarantee="at-most-once")
        marked = await self._mark(database, one, OutcomeUnknown("ReadTimeoutError"))
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("unknown", "outcome_unknown")
        assert marked.later == {one.id: rules.UNKNOWN_ENDS_S}

    async def test_mark_changes_nothing_when_the_claim_is_lost(self, database: Database) -> None:
        one = await _notification()
        first = await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
        second = await _claim(database, one.id)
        async with database.unit():
            await DELIVERIES.mark(first, {one.id: Sent("late")})
        row = await Notification.get(one.id)
        assert (row.status, row.lease_owner, row.provider_message_id) == (
            "sending",
            second.claimed[0].lease_owner,
            None,
        )

    async def test_mark_leaves_the_wake_up_to_the_new_owner_when_the_claim_is_lost(self, database: Database) -> None:
        one = await _notification()
        claims = await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
        await _claim(database, one.id)
        async with database.unit():
            marked = await DELIVERIES.mark(claims, {one.id: Sent("late")})
        assert (marked.settled, marked.later) == (frozenset(), {})

    @pytest.mark.parametrize("status", ["delivered", "bounced", "failed"])
    async def test_mark_settles_the_wake_up_when_an_event_has_ended_the_notification(
        self, database: Database, status: str
    ) -> None:
        one = await _notification()
        claims = await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(status=status, lease_owner=None, lease_until=None)
        async with database.unit():
            marked = await DELIVERIES.mark(claims, {one.id: Sent("late")})
        assert (marked.settled, marked.later) == (frozenset({one.id}), {})
        assert (await Notification.get(one.id)).status == status

    async def test_mark_applies_each_outcome_to_its_own_notification(self, database: Database) -> None:
        ones = [await _notification() for _ in range(4)]
        claims = await _claim(database, *(one.id for one in ones))
        outcomes: dict[UUID, Outcome] = dict(
            zip(
                (one.id for one in ones),
                (Sent("a"), Refused("x", "y"), TryLater("z", ""), OutcomeUnknown("w")),
                strict=True,
            )
        )
        async with database.unit():
            await DELIVERIES.mark(claims, outcomes)
        rows = [await Notification.get(one.id) for one in ones]
        assert [row.status for row in rows] == ["sent", "failed", "retry_wait", "unknown"]

    async def _defer(self, database: Database, one: Notification, code: str) -> MarkResult:
        marked = await self._mark(database, one, TryLater(code, "", delay_s=1, spends_attempt=False))
        await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        return marked

    async def _mark(self, database: Database, one: Notification, outcome: Outcome) -> MarkResult:
        claims = await _claim(database, one.id)
        async with database.unit():
            return await DELIVERIES.mark(claims, {one.id: outcome})


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
