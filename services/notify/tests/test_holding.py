import asyncio
import sqlite3
from pathlib import Path

import pytest
from pymysql import err as mysql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bongsu.mixins import Database, TransactionLost
from bongsu.runtime.stop import StopSignal
from bongsu_notify import holding
from bongsu_notify.holding import Abandoned, is_away, until_database_answers


class TestUntilDatabaseAnswers:
    async def test_work_is_repeated_until_it_succeeds(self, stop: StopSignal) -> None:
        failures = [OperationalError("SELECT", {}, Exception("gone away")), ConnectionResetError()]

        async def work() -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert await until_database_answers(work, stop) == "done"

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
            assert await until_database_answers(work, stop) == "done"

    async def test_the_stop_ends_it(self, stop: StopSignal) -> None:
        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await until_database_answers(work, stop)

    async def test_a_defect_is_raised(self, stop: StopSignal) -> None:
        async def work() -> None:
            raise KeyError("x")

        with pytest.raises(KeyError):
            await until_database_answers(work, stop)

    async def test_what_the_database_refuses_is_raised(self, each_database: Database, stop: StopSignal) -> None:
        async def work() -> None:
            async with each_database.engine.connect() as connection:
                await connection.execute(text("SELECT no_such_column FROM (SELECT 1 AS one) AS x"))

        async with asyncio.timeout(30):
            with pytest.raises(OperationalError):
                await until_database_answers(work, stop)


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
