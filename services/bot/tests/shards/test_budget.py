"""The IDENTIFYs that all shards and processes share, with a clock that the tests move."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest

from bongsu.mixins import Database
from bongsu_bot.shards.budget import IdentifyBudget
from bongsu_bot.shards.identify import IdentifyPostponed
from bongsu_bot.shards.models import IdentifySlot
from services.bot.tests.conftest import TABLES
from tests.infrastructure.templates import WithTables

OUTAGE_S = 600.0
PAUSE_S = 5.0
"""What Discord requires between the IDENTIFYs of a bucket."""


@pytest.fixture
async def each_database(with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(with_tables(TABLES))
    yield database
    await database.dispose()


@dataclass
class Clock:
    """Time that passes when it is slept: the rows of the budget grow older."""

    now: float = 0.0
    identifies: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        for slot in await IdentifySlot.query().all():
            await IdentifySlot.filter_by(id=slot.id).update(next_at=slot.next_at - timedelta(seconds=seconds))

    async def identify(self, budget: IdentifyBudget) -> None:
        """IDENTIFY as a shard whose turn it is, after as many reconnects as that takes."""
        # No time passes in this loop: the clock is the test's.
        while True:
            try:
                await budget.claim(0, PAUSE_S)
            except IdentifyPostponed as postponed:
                await self.sleep(postponed.delay_s)
            else:
                self.identifies.append(self.now)
                return


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_budgets(database: Database, clock: Clock, count: int) -> Sequence[IdentifyBudget]:
    return [IdentifyBudget(database, poll_s=60, sleep=clock.sleep) for _ in range(count)]


class TestOutage:
    @pytest.mark.parametrize("processes", [1, 2])
    async def test_two_shards_take_fewer_than_twenty_identifies_and_are_back_within_a_minute(
        self, each_database: Database, clock: Clock, processes: int
    ) -> None:
        of_shard = [*make_budgets(each_database, clock, processes)] * (2 // processes)
        while clock.now < OUTAGE_S:
            await clock.identify(of_shard[len(clock.identifies) % 2])
        if clock.identifies[-1] < OUTAGE_S:
            await clock.identify(of_shard[0])
        await of_shard[0].record_session()
        await clock.identify(of_shard[1])
        assert len(clock.identifies) < 20
        # The logins themselves take some seconds.
        assert clock.now < OUTAGE_S + 55

    async def test_processes_that_wait_at_the_same_time_share_the_budget(
        self, each_database: Database, clock: Clock
    ) -> None:
        budgets = make_budgets(each_database, clock, 3)
        # No time passes in this loop: the clock is the test's.
        while clock.now < OUTAGE_S:
            waits = [await one.try_claim(0, PAUSE_S) for one in budgets]
            assert waits.count(0.0) <= 1
            clock.identifies += [clock.now] * waits.count(0.0)
            await clock.sleep(min(wait for wait in waits if wait > 0))
        assert len(clock.identifies) < 20

    async def test_pause_grows_to_five_minutes_in_an_outage_of_hours(
        self, each_database: Database, clock: Clock
    ) -> None:
        (budget,) = make_budgets(each_database, clock, 1)
        for _ in range(30):
            await clock.identify(budget)
        assert 295 < await budget.try_claim(0, PAUSE_S) <= 300
        with pytest.raises(IdentifyPostponed) as caught:
            await budget.claim(0, PAUSE_S)
        assert 240 < caught.value.delay_s < 255

    async def test_first_pause_is_short_again_when_nothing_identified_for_a_minute(
        self, each_database: Database, clock: Clock
    ) -> None:
        (budget,) = make_budgets(each_database, clock, 1)
        for _ in range(8):
            await clock.identify(budget)
        await clock.sleep(47 + 61)
        await clock.identify(budget)
        assert await budget.try_claim(0, PAUSE_S) <= PAUSE_S


class TestBuckets:
    async def test_identifies_of_a_bucket_are_spaced_while_sessions_begin(
        self, each_database: Database, clock: Clock
    ) -> None:
        budgets = make_budgets(each_database, clock, 2)
        for shard in range(4):
            await clock.identify(budgets[shard % 2])
            await budgets[shard % 2].record_session()
        assert clock.identifies == pytest.approx([0, 5, 10, 15], abs=2)

    async def test_buckets_wait_for_themselves_only_once_a_session_began(
        self, each_database: Database, clock: Clock
    ) -> None:
        (budget,) = make_budgets(each_database, clock, 1)
        assert await budget.try_claim(0, 60.0) == 0
        await budget.record_session()
        assert await budget.try_claim(1, 60.0) == 0
        await budget.record_session()
        assert await budget.try_claim(0, 60.0) > 30


async def test_shard_waits_for_the_required_pause_while_the_database_is_unavailable(
    each_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    budget = IdentifyBudget(each_database, sleep=sleep)
    monkeypatch.setattr(each_database, "run", AsyncMock(side_effect=OSError("away")))
    await budget.claim(0, PAUSE_S)
    await budget.record_session()
    assert slept == [PAUSE_S]
