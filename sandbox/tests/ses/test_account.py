from datetime import UTC, datetime, timedelta

import pytest

from bongsu_sandbox.ses.account import Account, AccountState
from bongsu_sandbox.ses.errors import SesError


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def account(time: Time, *, rate: float = 14, quota: float = -1) -> Account:
    return Account(AccountState(max_send_rate=rate, max_24_hour_send=quota), clock=time, wall_clock=time)


def accepted(account: Account, recipients: int = 1) -> bool:
    try:
        account.spend(recipients)
    except SesError:
        return False
    return True


class TestSpend:
    def test_burst_of_one_second_passes(self, time: Time) -> None:
        subject = account(time, rate=14)
        assert [accepted(subject) for _ in range(15)] == [True] * 14 + [False]

    def test_a_steady_rate_is_never_throttled(self, time: Time) -> None:
        subject = account(time, rate=14)
        for _ in range(500):
            assert accepted(subject)
            time.now += 1 / 14

    def test_a_faster_rate_is_held_to_the_limit(self, time: Time) -> None:
        subject = account(time, rate=10)
        sent = 0
        for _ in range(1000):
            sent += accepted(subject)
            time.now += 0.01
        assert 100 <= sent <= 110

    def test_recipients_count_not_messages(self, time: Time) -> None:
        subject = account(time, rate=10)
        assert accepted(subject, 7)
        assert not accepted(subject, 4)
        assert accepted(subject, 3)

    def test_a_message_to_more_than_the_rate_passes_when_nothing_else_was_sent(self, time: Time) -> None:
        subject = account(time, rate=1)
        assert accepted(subject, 50)
        time.now += 10
        assert not accepted(subject)
        time.now += 40
        assert accepted(subject)

    def test_the_quota_frees_itself_after_a_day(self, time: Time) -> None:
        subject = account(time, quota=2)
        assert [accepted(subject), accepted(subject), accepted(subject)] == [True, True, False]
        time.now += 86_400 + 60
        assert accepted(subject)
        assert subject.sent_last_24_hours == 1

    def test_a_refused_send_spends_nothing(self, time: Time) -> None:
        subject = account(time, rate=1)
        assert accepted(subject)
        assert not accepted(subject)
        assert subject.sent_last_24_hours == 1


class TestRestore:
    def test_restored_sends_count_towards_the_quota(self, time: Time) -> None:
        subject = account(time, quota=5)
        moment = datetime.fromtimestamp(time.now, UTC)
        subject.restore([(moment, 2), (moment - timedelta(hours=23), 3)])
        assert not accepted(subject)
        time.now += 2 * 3600
        assert subject.sent_last_24_hours == 2
        assert accepted(subject)


class TestIsVerified:
    def test_every_identity_is_verified_when_none_is_named(self, time: Time) -> None:
        assert account(time).is_verified("anyone@example.com")

    def test_identity_is_verified_as_it_was_named(self, time: Time) -> None:
        state = AccountState(max_send_rate=14, max_24_hour_send=-1, verified_identities=("Example.com",))
        subject = Account(state, clock=time, wall_clock=time)
        assert subject.is_verified("example.com")
        assert not subject.is_verified("a@example.com")
