import asyncio
import sqlite3
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pymysql import err as mysql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bongsu.mixins import Database, TransactionLost
from bongsu.runtime.stop import StopSignal
from bongsu_notify import holding
from bongsu_notify.holding import Abandoned, Holding, is_away


class TestHolding:
    async def test_work_is_repeated_until_it_succeeds(self, stop: StopSignal) -> None:
        failures = [OperationalError("SELECT", {}, Exception("gone away")), ConnectionResetError()]

        async def work() -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert await Holding(stop).until_database_answers(work) == "done"

    async def test_a_database_that_vanished_is_given_up_and_tried_again(
        self, stop: StopSignal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "ANSWER_S", 0.05)
        tries = 0

        async def work() -> str:
            nonlocal tries
            tries += 1
            if tries == 1:
                await asyncio.Event().wait()
            return "done"

        async with asyncio.timeout(30):
            assert await Holding(stop).until_database_answers(work) == "done"

    async def test_the_stop_ends_it(self, stop: StopSignal) -> None:
        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await Holding(stop).until_database_answers(work)

    async def test_it_tells_that_it_holds_until_the_last_is_through(self, stop: StopSignal) -> None:
        registry = CollectorRegistry()
        holding, database = Holding(stop, registry), _Away()
        assert registry.get_sample_value("notify_holding") == 0
        first = asyncio.create_task(holding.until_database_answers(database.work))
        second = asyncio.create_task(holding.until_database_answers(database.work))
        async with asyncio.timeout(30):
            await database.tried(2)
            assert registry.get_sample_value("notify_holding") == 1
            database.back = 1
            await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
            assert registry.get_sample_value("notify_holding") == 1
            database.back = 1
            await asyncio.gather(first, second)
        assert registry.get_sample_value("notify_holding") == 0

    async def test_what_is_given_up_is_held_no_longer(self, stop: StopSignal) -> None:
        registry = CollectorRegistry()

        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await Holding(stop, registry).until_database_answers(work)
        assert registry.get_sample_value("notify_holding") == 0

    async def test_a_defect_is_raised(self, stop: StopSignal) -> None:
        async def work() -> None:
            raise KeyError("x")

        with pytest.raises(KeyError):
            await Holding(stop).until_database_answers(work)

    async def test_what_the_database_refuses_is_raised(self, each_database: Database, stop: StopSignal) -> None:
        async def work() -> None:
            async with each_database.engine.connect() as connection:
                await connection.execute(text("SELECT no_such_column FROM (SELECT 1 AS one) AS x"))

        async with asyncio.timeout(30):
            with pytest.raises(OperationalError):
                await Holding(stop).until_database_answers(work)


class _Away:
    """A database that is away, but for as much work as it is said to be back for."""

    def __init__(self) -> None:
        self.back = 0
        self._tries = asyncio.Semaphore(0)

    async def tried(self, times: int) -> None:
        """Once work was tried that often."""
        for _ in range(times):
            await self._tries.acquire()

    async def work(self) -> None:
        """Succeeds, or finds nobody there."""
        self._tries.release()
        if self.back == 0:
            raise ConnectionResetError
        self.back -= 1


def _of_mysql(*arguments: object) -> OperationalError:
    return OperationalError("SELECT 1", {}, mysql.OperationalError(*arguments))


class TestIsAway:
    @pytest.mark.parametrize(
        "error",
        [
            _of_mysql(2003, "Can't connect"),
            _of_mysql(2006, "gone away"),
            _of_mysql(2013, "Lost connection during query"),
            _of_mysql(1040, "Too many connections"),
            _of_mysql(1053, "Server shutdown in progress"),
            _of_mysql(1205, "Lock wait timeout exceeded"),
            _of_mysql(1213, "Deadlock found"),
            _of_mysql(1290, "running with the --read-only option"),
            _of_mysql("Couldn't receive server's public key"),
            DBAPIError("SELECT 1", {}, mysql.InternalError(1, "any"), connection_invalidated=True),
            InterfaceError("SELECT 1", {}, mysql.InterfaceError("(0, 'Not connected')")),
            InterfaceError("SELECT 1", {}, mysql.InterfaceError(0, "")),
            PoolTimeout("QueuePool limit reached"),
            TransactionLost("the database gave up a statement"),
            ConnectionResetError(),
            TimeoutError(),
        ],
    )
    def test_a_database_that_cannot_be_had_is_away(self, error: Exception) -> None:
        assert is_away(error)

    @pytest.mark.parametrize(
        "error",
        [
            _of_mysql(1054, "Unknown column"),
            _of_mysql(1364, "Field doesn't have a default value"),
            DBAPIError("SELECT 1", {}, mysql.ProgrammingError(1146, "Table doesn't exist")),
            DBAPIError("SELECT 1", {}, mysql.DataError(1406, "Data too long")),
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: x")),
            InterfaceError("SELECT 1", {}, sqlite3.InterfaceError("Error binding parameter 1")),
            KeyError("x"),
        ],
    )
    def test_a_database_that_refuses_is_not(self, error: Exception) -> None:
        assert not is_away(error)

    def test_a_file_that_another_process_writes_is(self, tmp_path: Path) -> None:
        file = tmp_path / "x.db"
        first, second = sqlite3.connect(file, isolation_level=None), sqlite3.connect(file, timeout=0)
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            second.execute("BEGIN IMMEDIATE")
        first.close()
        second.close()
        assert is_away(OperationalError("BEGIN", {}, caught.value))

    def test_a_file_that_cannot_be_opened_is(self, tmp_path: Path) -> None:
        with pytest.raises(sqlite3.OperationalError) as caught:
            sqlite3.connect(tmp_path / "nowhere" / "x.db")
        assert is_away(OperationalError("SELECT 1", {}, caught.value))
