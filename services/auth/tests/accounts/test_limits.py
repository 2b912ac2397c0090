"""The counters of requests an hour."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import event

from bongsu_auth.accounts.limits import HourlyCounters
from bongsu_auth.sessions.models import LoginFailures
from services.auth.tests.stage import Stage


class TestCount:
    async def test_concurrent_requests_share_transactions_and_do_not_pass_the_limit(self, each_stage: Stage) -> None:
        counters = HourlyCounters(each_stage.database, 20)
        commits = 0

        def count_commit(_connection: object) -> None:
            nonlocal commits
            commits += 1

        event.listen(each_stage.database.engine.sync_engine, "commit", count_commit)
        waits = await asyncio.gather(*(counters.count("a" if number % 5 else "b") for number in range(50)))
        zero = timedelta(0)
        assert [wait for wait in waits if wait == zero] == [zero] * 30
        assert all(timedelta(minutes=59) < wait <= timedelta(hours=1) for wait in waits if wait != zero)
        assert sorted(await LoginFailures.query().pluck("failures")) == [10, 20]
        assert commits < 10

    async def test_counter_begins_again_after_an_hour(self, stage: Stage) -> None:
        counters = HourlyCounters(stage.database, 1)
        assert not await counters.count("a")
        assert await counters.count("a")
        await LoginFailures.query().unfiltered().update(expires_at=datetime.now(UTC))
        assert not await counters.count("a")
