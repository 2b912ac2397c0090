from dataclasses import dataclass, field

import pytest

from bongsu_bot.shards.identify import LONGEST_RECONNECT_S, IdentifyBackoff, ReconnectBackoff


@dataclass
class Clock:
    now: float = 1000.0
    identifies: list[float] = field(default_factory=list)

    def count(self) -> None:
        self.identifies.append(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backoff(clock: Clock) -> IdentifyBackoff:
    return IdentifyBackoff(clock.count, now=lambda: clock.now)


def identify(clock: Clock, backoff: IdentifyBackoff, shard: int = 0) -> None:
    clock.now += backoff.delay_s(shard)
    backoff.record(shard)


class TestIdentifyBackoff:
    def test_first_identify_does_not_wait(self, backoff: IdentifyBackoff) -> None:
        assert backoff.delay_s(0) == 0

    def test_ten_minutes_of_invalid_sessions_take_fewer_than_twenty_identifies(
        self, clock: Clock, backoff: IdentifyBackoff
    ) -> None:
        while clock.now < 1600:
            identify(clock, backoff)
        assert len(clock.identifies) < 20

    def test_shard_identifies_within_a_minute_of_the_end_of_a_ten_minute_outage(
        self, clock: Clock, backoff: IdentifyBackoff
    ) -> None:
        while clock.now < 1600:
            identify(clock, backoff)
        assert clock.now < 1655

    def test_pause_is_bounded(self, clock: Clock, backoff: IdentifyBackoff) -> None:
        for _ in range(50):
            identify(clock, backoff)
        assert 240 <= backoff.delay_s(0) <= 360

    def test_no_pause_is_longer_than_the_longest(self, clock: Clock) -> None:
        backoff = IdentifyBackoff(max_s=45, now=lambda: clock.now)
        for _ in range(50):
            identify(clock, backoff)
            assert backoff.delay_s(0) < 50

    def test_ten_minutes_of_resumes_in_a_row_are_fewer_than_twenty_and_a_day_of_them_two_a_minute(
        self, clock: Clock
    ) -> None:
        resumes = IdentifyBackoff(clock.count, max_s=LONGEST_RECONNECT_S, now=lambda: clock.now)
        while clock.now < 1600:
            identify(clock, resumes)
        # The last comes after the ten minutes. Without it, there are 19 where every pause is the shortest.
        assert len(clock.identifies[:-1]) < 20
        while clock.now < 1000 + 86_400:
            identify(clock, resumes)
        assert len(clock.identifies) < 2 * 24 * 60

    def test_pause_starts_again_after_a_stable_session(self, clock: Clock, backoff: IdentifyBackoff) -> None:
        for _ in range(8):
            identify(clock, backoff)
        clock.now += backoff.delay_s(0) + 61
        assert backoff.delay_s(0) == 0
        backoff.record(0)
        assert backoff.delay_s(0) < 1.3

    def test_waiting_for_the_pause_is_not_a_stable_session(self, clock: Clock, backoff: IdentifyBackoff) -> None:
        for _ in range(24):
            identify(clock, backoff)
        assert backoff.delay_s(0) > 200

    def test_shards_wait_for_themselves_only(self, clock: Clock, backoff: IdentifyBackoff) -> None:
        for _ in range(5):
            identify(clock, backoff, shard=0)
        assert backoff.delay_s(1) == 0


class TestReconnectBackoff:
    def test_pause_grows_and_never_takes_a_minute(self) -> None:
        backoff = ReconnectBackoff()
        pauses = [backoff.delay() for _ in range(200)]
        assert pauses[0] <= 2
        assert max(pauses) <= 45
        assert max(pauses) > 20
