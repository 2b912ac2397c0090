from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine

from bongsu.contracts.notifications import Guarantee, Status
from bongsu.mixins import Database, utc_now, uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.deliveries import service
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.rows import email_row

LEASE_S = 60.0
MAX_ATTEMPTS = 3
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
    async def test_a_waiting_notification_is_claimed_under_a_lease(self, database: Database) -> None:
        one = await _notification()
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert [claimed.id for claimed in claims.claimed] == [one.id]
        assert (row.status, row.attempt, row.lease_owner) == ("sending", 1, claims.owner)
        assert await Notification.filter_by(
            lease_until__gt=utc_now(LEASE_S - 5), lease_until__lt=utc_now(LEASE_S + 5)
        ).exists()
        assert await _timeline(one) == [("sending", 1)]

    async def test_what_is_claimed_comes_with_its_content(self, database: Database) -> None:
        one = await _notification(content={"text": "봉수", "html": "<p>봉수</p>"})
        other = await _notification(content=None, template="verify-email", sealed_variables="k1.secret")
        claims = await _claim(database, one.id, other.id)
        assert claims.contents == {
            one.id: Content({"text": "봉수", "html": "<p>봉수</p>"}, None),
            other.id: Content({}, "k1.secret"),
        }

    async def test_what_another_worker_holds_is_looked_at_again_later(self, database: Database) -> None:
        one = await _notification()
        await _claim(database, one.id)
        second = await _claim(database, one.id)
        assert not second.claimed
        assert second.later == {one.id: LEASE_S}
        assert not second.settled

    async def test_an_expired_lease_is_claimed_again_where_a_second_send_is_allowed(self, database: Database) -> None:
        one = await _notification(status="sending", attempt=1, lease_owner=uuid7(), lease_until=_ago(1))
        claims = await _claim(database, one.id)
        assert [claimed.attempt for claimed in claims.claimed] == [2]

    async def test_an_expired_lease_fails_where_it_is_not(self, database: Database) -> None:
        one = await _notification(
            status="sending", attempt=1, lease_owner=uuid7(), lease_until=_ago(1), guarantee="at-most-once"
        )
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("failed", "outcome_unknown")
        assert claims.settled == {one.id}

    async def test_a_last_attempt_that_may_have_been_sent_is_told_as_such_where_it_is_not(
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

    async def test_what_waits_for_its_time_is_put_off_until_then(self, database: Database) -> None:
        one = await _notification(status="retry_wait", attempt=1, next_attempt_at=_ago(-3600))
        claims = await _claim(database, one.id)
        assert not claims.claimed
        assert claims.later[one.id] == pytest.approx(3600, abs=60)

    async def test_a_wrong_clock_of_the_workers_changes_nothing(self, database: Database) -> None:
        one = await _notification(status="retry_wait", attempt=1, next_attempt_at=_ago(-3600))
        with time_machine.travel(_ago(600)):
            claims = await _claim(database, one.id)
        assert claims.later[one.id] == pytest.approx(3600, abs=60)

    @pytest.mark.parametrize("guarantee", ["at-least-once", "at-most-once"])
    async def test_a_claim_that_is_repeated_by_its_owner_is_still_its_own(
        self, database: Database, guarantee: Guarantee
    ) -> None:
        """The first commit went through, but the connection was lost before it said so."""
        one, owner = await _notification(guarantee=guarantee), uuid7()
        claimed: list[list[UUID]] = []
        for _ in range(2):
            async with database.unit():
                claims = await DELIVERIES.claim([one.id], owner=owner)
            claimed.append([each.id for each in claims.claimed])
        assert claimed == [[one.id], [one.id]]

    @pytest.mark.parametrize("status", ["sent", "delivered", "bounced", "failed", "cancelled", "suppressed", "expired"])
    async def test_what_has_ended_is_settled(self, database: Database, status: Status) -> None:
        one = await _notification(status=status)
        claims = await _claim(database, one.id)
        assert not claims.claimed
        assert claims.settled == {one.id}

    async def test_an_unknown_id_is_settled(self, database: Database) -> None:
        stranger = uuid7()
        assert (await _claim(database, stranger)).settled == {stranger}

    async def test_what_expired_ends_as_expired_and_loses_its_secrets(self, database: Database) -> None:
        one = await _notification(expires_at=_ago(1), sealed_variables="k1.secret")
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert (row.status, await _secrets(one)) == ("expired", None)
        assert claims.settled == {one.id}
        assert await _timeline(one) == [("expired", 0)]

    async def test_the_last_attempt_is_the_last(self, database: Database) -> None:
        one = await _notification(status="sending", attempt=MAX_ATTEMPTS, lease_owner=uuid7(), lease_until=_ago(1))
        claims = await _claim(database, one.id)
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("failed", "attempts_exhausted")
        assert claims.settled == {one.id}

    async def test_a_batch_is_claimed_in_one_go(self, database: Database) -> None:
        ids = [(await _notification()).id for _ in range(20)]
        assert {one.id for one in (await _claim(database, *ids)).claimed} == set(ids)


class TestRelease:
    async def test_what_a_dead_worker_held_can_be_claimed_at_once(self, database: Database) -> None:
        one = await _notification()
        await _claim(database, one.id)
        assert await service.release() == 1
        assert [claimed.attempt for claimed in (await _claim(database, one.id)).claimed] == [2]


class TestMark:
    async def test_a_sent_one_has_its_message_id_and_ends_its_lease(self, database: Database) -> None:
        one = await _notification(sealed_variables="k1.secret")
        marked = await self._mark(database, one, Sent("ses-1"))
        row = await Notification.get(one.id)
        assert (row.status, row.provider_message_id) == ("sent", "ses-1")
        assert (row.lease_owner, row.lease_until, await _secrets(one)) == (None, None, None)
        assert marked.settled == {one.id}
        assert await _timeline(one) == [("sending", 1), ("sent", 1)]

    async def test_what_the_provider_tells_at_once_is_in_the_timeline_too(self, database: Database) -> None:
        one = await _notification()
        await self._mark(database, one, Sent("sim-1", "bounced"))
        assert await _timeline(one) == [("sending", 1), ("sent", 1), ("bounced", 1)]

    async def test_a_refused_one_fails_with_the_reason(self, database: Database) -> None:
        one = await _notification()
        await self._mark(database, one, Refused("provider_refused", "bad address"))
        row = await Notification.get(one.id)
        assert (row.status, row.error_code, row.error_detail) == ("failed", "provider_refused", "bad address")

    async def test_one_to_try_later_waits_with_its_secrets(self, database: Database) -> None:
        one = await _notification(sealed_variables="k1.secret")
        marked = await self._mark(database, one, TryLater("provider_error", "500"))
        row = await Notification.get(one.id)
        assert (row.status, row.attempt, await _secrets(one)) == ("retry_wait", 1, "k1.secret")
        assert marked.later[one.id] == pytest.approx(5, rel=0.21)

    async def test_being_too_fast_spends_no_attempt(self, database: Database) -> None:
        one = await _notification()
        await self._mark(database, one, TryLater("provider_throttled", "", delay_s=1, spends_attempt=False))
        assert (await Notification.get(one.id)).attempt == 0

    async def test_being_put_off_again_and_again_is_told_once(self, database: Database) -> None:
        one = await _notification()
        for _ in range(5):
            await self._put_off(database, one, "provider_throttled")
        assert await _timeline(one) == [("sending", 1), ("retry_wait", 1)]
        await self._put_off(database, one, "provider_quota")
        await self._mark(database, one, Sent("ses-1"))
        assert await _timeline(one) == [
            *[("sending", 1), ("retry_wait", 1)],
            *[("sending", 1), ("retry_wait", 1)],
            *[("sending", 1), ("sent", 1)],
        ]

    async def test_an_attempt_that_fails_as_the_one_before_is_told(self, database: Database) -> None:
        one = await _notification()
        for _ in range(2):
            await self._mark(database, one, TryLater("provider_error", "500"))
            await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        assert await _timeline(one) == [("sending", 1), ("retry_wait", 1), ("sending", 2), ("retry_wait", 2)]

    @pytest.mark.parametrize(
        ("accepted_ago_s", "due_ago_s", "delay_s"), [(0, None, 1), (40, None, 10), (3600, None, 15), (3600, 0, 1)]
    )
    async def test_what_is_put_off_comes_back_soon_at_first_and_then_less_often(
        self, database: Database, accepted_ago_s: float, due_ago_s: float | None, delay_s: float
    ) -> None:
        send_at = None if due_ago_s is None else _ago(due_ago_s)
        one = await _notification(created_at=_ago(accepted_ago_s), send_at=send_at)
        marked = await self._put_off(database, one, "provider_throttled")
        assert marked.later[one.id] == pytest.approx(delay_s, rel=0.4)

    async def test_a_channel_that_asks_for_longer_gets_it(self, database: Database) -> None:
        one = await _notification(created_at=_ago(3600))
        marked = await self._mark(database, one, TryLater("provider_quota", "", delay_s=900, spends_attempt=False))
        assert marked.later[one.id] == pytest.approx(900, rel=0.21)

    async def test_the_last_failed_attempt_fails_for_good(self, database: Database) -> None:
        one = await _notification(attempt=MAX_ATTEMPTS - 1)
        marked = await self._mark(database, one, TryLater("provider_error", "500"))
        assert (await Notification.get(one.id)).status == "failed"
        assert marked.settled == {one.id}

    async def test_an_unknown_outcome_is_sent_again_where_that_is_allowed(self, database: Database) -> None:
        one = await _notification()
        marked = await self._mark(database, one, OutcomeUnknown("ReadTimeoutError"))
        assert (await Notification.get(one.id)).status == "unknown"
        assert marked.later == {one.id: service.UNKNOWN_BACKOFF_S[0]}
        await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        assert [claimed.attempt for claimed in (await _claim(database, one.id)).claimed] == [2]

    async def test_unknown_outcomes_in_a_row_are_sent_again_ever_less_often(self, database: Database) -> None:
        waits, deliveries = [], Deliveries(lease_s=LEASE_S, max_attempts=8)
        for attempt in (0, 1, 2, 3, 4):
            one = await _notification(attempt=attempt)
            async with database.unit():
                claims = await deliveries.claim([one.id])
            async with database.unit():
                marked = await deliveries.mark(claims, {one.id: OutcomeUnknown("ReadTimeoutError")})
            waits.append(marked.later[one.id])
        assert waits == [30, 30, 120, 600, 600]

    async def test_an_unknown_outcome_fails_where_it_is_not(self, database: Database) -> None:
        one = await _notification(guarantee="at-most-once")
        await self._mark(database, one, OutcomeUnknown("ReadTimeoutError"))
        row = await Notification.get(one.id)
        assert (row.status, row.error_code) == ("failed", "outcome_unknown")

    async def test_a_lost_claim_changes_nothing(self, database: Database) -> None:
        one = await _notification()
        first = await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
        second = await _claim(database, one.id)
        async with database.unit():
            await DELIVERIES.mark(first, {one.id: Sent("late")})
        row = await Notification.get(one.id)
        assert (row.status, row.lease_owner, row.provider_message_id) == ("sending", second.owner, None)

    async def test_a_lost_claim_leaves_the_wake_up_to_whoever_has_it_now(self, database: Database) -> None:
        one = await _notification()
        claims = await _claim(database, one.id)
        await Notification.filter_by(id=one.id).update(lease_until=utc_now(-1))
        await _claim(database, one.id)
        async with database.unit():
            marked = await DELIVERIES.mark(claims, {one.id: Sent("late")})
        assert (marked.settled, marked.later) == (frozenset(), {})

    async def test_a_mixed_batch_gets_each_its_own(self, database: Database) -> None:
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

    async def _put_off(self, database: Database, one: Notification, code: str) -> MarkResult:
        marked = await self._mark(database, one, TryLater(code, "", delay_s=1, spends_attempt=False))
        await Notification.filter_by(id=one.id).update(next_attempt_at=utc_now(-1))
        return marked

    async def _mark(self, database: Database, one: Notification, outcome: Outcome) -> MarkResult:
        claims = await _claim(database, one.id)
        async with database.unit():
            return await DELIVERIES.mark(claims, {one.id: outcome})


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
