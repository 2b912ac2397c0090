import asyncio

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bongsu.mixins import Database
from bongsu.runtime.stop import StopSignal
from bongsu_notify.database_retry import Abandoned, DatabaseRetry


class TestDatabaseRetry:
    async def test_work_is_repeated_until_the_database_is_available(self, stop: StopSignal) -> None:
        failures = [OperationalError("SELECT", {}, Exception("gone away")), ConnectionResetError()]

        async def work() -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert await DatabaseRetry(stop).retry_while_unavailable(work) == "done"

    async def test_work_is_repeated_when_the_database_vanishes_without_an_answer(self, stop: StopSignal) -> None:
        tries = 0

        async def work() -> str:
            nonlocal tries
            tries += 1
            if tries == 1:
                await asyncio.Event().wait()
            return "done"

        async with asyncio.timeout(30):
            assert await DatabaseRetry(stop, try_timeout_s=0.05).retry_while_unavailable(work) == "done"

    async def test_retry_is_abandoned_when_the_process_stops(self, stop: StopSignal) -> None:
        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await DatabaseRetry(stop).retry_while_unavailable(work)

    async def test_metric_is_set_until_the_last_job_stops_waiting(self, stop: StopSignal) -> None:
        registry = CollectorRegistry()
        holding, database = DatabaseRetry(stop, registry), _Unavailable()
        assert registry.get_sample_value("notify_holding") == 0
        first = asyncio.create_task(holding.retry_while_unavailable(database.work))
        second = asyncio.create_task(holding.retry_while_unavailable(database.work))
        async with asyncio.timeout(30):
            await database.tried(2)
            assert registry.get_sample_value("notify_holding") == 1
            database.back = 1
            await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
            assert registry.get_sample_value("notify_holding") == 1
            database.back = 1
            await asyncio.gather(first, second)
        assert registry.get_sample_value("notify_holding") == 0

    async def test_metric_is_reset_when_the_retry_is_abandoned(self, stop: StopSignal) -> None:
        registry = CollectorRegistry()

        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await DatabaseRetry(stop, registry).retry_while_unavailable(work)
        assert registry.get_sample_value("notify_holding") == 0

    async def test_defect_is_raised(self, stop: StopSignal) -> None:
        async def work() -> None:
            raise KeyError("x")

        with pytest.raises(KeyError):
            await DatabaseRetry(stop).retry_while_unavailable(work)

    async def test_error_is_raised_when_the_database_refuses_the_statement(
        self, each_database: Database, stop: StopSignal
    ) -> None:
        async def work() -> None:
            async with each_database.engine.connect() as connection:
                await connection.execute(text("SELECT no_such_column FROM (SELECT 1 AS one) AS x"))

        async with asyncio.timeout(30):
            with pytest.raises(OperationalError):
                await DatabaseRetry(stop).retry_while_unavailable(work)


class _Unavailable:
    """A database that is unavailable, except for the next `back` pieces of work."""

    def __init__(self) -> None:
        self.back = 0
        self._tries = asyncio.Semaphore(0)

    async def tried(self, times: int) -> None:
        """Wait until work was tried that often."""
        for _ in range(times):
            await self._tries.acquire()

    async def work(self) -> None:
        self._tries.release()
        if self.back == 0:
            raise ConnectionResetError
        self.back -= 1
