import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pymysql import err as mysql
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bongsu.mixins import Conflict, Database, TransactionLost, is_unavailable, uuid7
from shared.tests.mixins.library import Author, Book, Place, Tag


async def conflict_of(*, model: type[Author | Book | Place | Tag], **values: Any) -> Conflict:  # noqa: ANN401  # columns' values
    with pytest.raises(Conflict) as caught:
        await model.create(**values)
    return caught.value


class TestConflict:
    async def test_a_unique_column_is_named(self, db: Database) -> None:
        del db
        await Author.create(email="it's 'for key' \"x\"")
        conflict = await conflict_of(model=Author, email="it's 'for key' \"x\"")
        assert (conflict.constraint, conflict.columns, conflict.kind) == ("uq_authors_email", ("email",), "unique")
        assert "authors(email)" in str(conflict)

    async def test_a_unique_set_of_columns_is_named(self, db: Database) -> None:
        del db
        await Author.create(email="a", country="KR", rank=1)
        conflict = await conflict_of(model=Author, email="b", country="KR", rank=1)
        assert (conflict.constraint, conflict.columns) == ("uq_authors_country_rank", ("country", "rank"))

    async def test_a_primary_key_is_called_primary(self, db: Database) -> None:
        del db
        key = uuid7()
        await Place.create(id=key, shelf=1, label="a")
        conflict = await conflict_of(model=Place, id=key, shelf=1, label="b")
        assert (conflict.constraint, conflict.columns, conflict.kind) == ("PRIMARY", ("id", "shelf"), "unique")

    async def test_a_foreign_key_is_named(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Book, title="x", author_id=uuid7())
        assert (conflict.constraint, conflict.columns, conflict.kind) == (
            "fk_books_author_id_authors",
            ("author_id",),
            "foreign key",
        )

    async def test_a_check_is_named(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Author, email="a", age=-1)
        assert (conflict.constraint, conflict.kind) == ("ck_authors_age_not_negative", "check")

    async def test_a_missing_value_names_its_column(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Tag, label=None)
        assert (conflict.constraint, conflict.columns, conflict.kind) == (None, ("label",), "not null")


def _mysql_error(*arguments: object) -> OperationalError:
    return OperationalError("SELECT 1", {}, mysql.OperationalError(*arguments))


class TestIsUnavailable:
    @pytest.mark.parametrize(
        "error",
        [
            _mysql_error(2003, "Can't connect"),
            _mysql_error(2006, "gone away"),
            _mysql_error(2013, "Lost connection during query"),
            _mysql_error(1040, "Too many connections"),
            _mysql_error(1053, "Server shutdown in progress"),
            _mysql_error(1205, "Lock wait timeout exceeded"),
            _mysql_error(1213, "Deadlock found"),
            _mysql_error(1290, "running with the --read-only option"),
            _mysql_error("Couldn't receive server's public key"),
            DBAPIError("SELECT 1", {}, mysql.InternalError(1, "any"), connection_invalidated=True),
            InterfaceError("SELECT 1", {}, mysql.InterfaceError("(0, 'Not connected')")),
            InterfaceError("SELECT 1", {}, mysql.InterfaceError(0, "")),
            PoolTimeout("QueuePool limit reached"),
            TransactionLost("the database rolled the unit back"),
            ConnectionResetError(),
            TimeoutError(),
        ],
    )
    def test_a_database_that_cannot_be_had_is_unavailable(self, error: Exception) -> None:
        assert is_unavailable(error)

    @pytest.mark.parametrize(
        "error",
        [
            _mysql_error(1054, "Unknown column"),
            _mysql_error(1364, "Field doesn't have a default value"),
            DBAPIError("SELECT 1", {}, mysql.ProgrammingError(1146, "Table doesn't exist")),
            DBAPIError("SELECT 1", {}, mysql.DataError(1406, "Data too long")),
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: x")),
            InterfaceError("SELECT 1", {}, sqlite3.InterfaceError("Error binding parameter 1")),
            KeyError("x"),
        ],
    )
    def test_error_does_not_mean_unavailable_when_the_database_refuses_a_statement(self, error: Exception) -> None:
        assert not is_unavailable(error)

    def test_error_means_unavailable_when_another_process_holds_the_sqlite_file(self, tmp_path: Path) -> None:
        file = tmp_path / "x.db"
        first, second = sqlite3.connect(file, isolation_level=None), sqlite3.connect(file, timeout=0)
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            second.execute("BEGIN IMMEDIATE")
        first.close()
        second.close()
        assert is_unavailable(OperationalError("BEGIN", {}, caught.value))

    def test_error_means_unavailable_when_the_sqlite_file_cannot_be_opened(self, tmp_path: Path) -> None:
        with pytest.raises(sqlite3.OperationalError) as caught:
            sqlite3.connect(tmp_path / "nowhere" / "x.db")
        assert is_unavailable(OperationalError("SELECT 1", {}, caught.value))
