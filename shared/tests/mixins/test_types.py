import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import JSON, Dialect, Table, inspect, literal, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from bongsu.mixins import AsciiKey, Database, ExactString, Json, UTCDateTime, UUIDKey, utc_now, write_keys, written
from shared.tests.mixins.library import Author, Book, Genre


def ddl(kind: TypeEngine[Any], dialect: Dialect) -> str:
    return kind.dialect_impl(dialect).compile(dialect=dialect)


class TestDdl:
    @pytest.mark.parametrize(
        ("kind", "on_mysql"),
        [
            (UTCDateTime(), "DATETIME(6)"),
            (UUIDKey(), "BINARY(16)"),
            (AsciiKey(40), "VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin"),
            (ExactString(40), "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"),
            (Json(), "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        ],
    )
    def test_mysql_has_its_own_type(self, kind: TypeEngine[Any], on_mysql: str) -> None:
        assert ddl(kind, mysql.dialect()) == on_mysql

    def test_mariadb_has_another_name_for_the_exact_collation(self) -> None:
        mariadb = mysql.dialect(is_mariadb=True)
        assert ddl(ExactString(40), mariadb).endswith("utf8mb4_nopad_bin")

    def test_tables_are_innodb_and_utf8mb4(self) -> None:
        table = Author.__table__
        assert isinstance(table, Table)
        text = str(CreateTable(table).compile(dialect=mysql.dialect()))
        assert "ENGINE=InnoDB" in text
        assert "CHARSET=utf8mb4" in text
        assert "COLLATE utf8mb4_bin" in text
        assert "ENGINE" not in str(CreateTable(table).compile(dialect=sqlite.dialect()))


class TestWritten:
    async def test_rows_are_found_by_keys_that_the_statement_has_in_its_text(self, db: Database) -> None:
        books = [await Book.create(title=str(number)) for number in range(3)]
        found = select(Book.title).where(Book.id.op("IN")(written("ids", write_keys))).order_by(Book.title)
        async with db.unit() as unit:
            for chosen in (books[:2], books[1:]):
                titles = await unit.session.execute(found, {"ids": [book.id for book in chosen]})
                assert [*titles.scalars()] == [book.title for book in chosen]


class TestRoundTrips:
    async def test_every_type_returns_the_stored_value(self, db: Database) -> None:
        del db
        facts = {"순서": [1, 2.5, None, True, "😀"], "b": {"a": "\\ '"}}
        made = await Book.create(
            title="봉수 🔥", genre=Genre.POETRY, price=Decimal("12.34"), facts=facts, cover=bytes(range(256))
        )
        book = await Book.get(made.id)
        assert (book.title, book.genre, book.price, book.facts, book.cover) == (
            "봉수 🔥",
            Genre.POETRY,
            Decimal("12.34"),
            facts,
            bytes(range(256)),
        )
        assert list(book.facts or {}) == ["순서", "b"]
        assert (book.id, book.created_at) == (made.id, made.created_at)

    async def test_an_instant_keeps_its_microseconds(self, db: Database) -> None:
        del db
        for microsecond in (0, 1, 999_999, 500_000):
            instant = dt.datetime(2026, 11, 24, 1, 2, 3, microsecond, tzinfo=dt.UTC)
            author = await Author.create(email=str(microsecond), seen_at=instant)
            assert (await Author.get(author.id)).seen_at == instant
            assert await Author.filter_by(seen_at=instant).count() == 1

    @pytest.mark.parametrize("country", ["한", " K", "K "])
    async def test_an_ascii_key_refuses_other_text(self, db: Database, country: str) -> None:
        del db
        with pytest.raises(StatementError, match="ASCII text without outer spaces"):
            await Author.create(email="kim", country=country)

    def test_json_refuses_values_that_json_lacks(self) -> None:
        assert not isinstance(Json(), JSON)
        with pytest.raises(ValueError, match="JSON compliant"):
            Json().process_bind_param(float("nan"), sqlite.dialect())


class TestUtcNow:
    @pytest.mark.parametrize("offset_s", [0, 60, -3600, 0.25, -0.5, 86400 * 400])
    async def test_utc_now_is_the_time_plus_its_offset(self, db: Database, offset_s: float) -> None:
        async with db.unit() as unit:
            now = (await unit.session.scalars(select(utc_now(offset_s)))).one()
        assert now.tzinfo is not None
        difference = now - dt.datetime.now(dt.UTC) - dt.timedelta(seconds=offset_s)
        assert abs(difference) < dt.timedelta(seconds=5)

    async def test_utc_now_compares_with_a_literal_instant(self, db: Database) -> None:
        later = literal(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1), UTCDateTime())
        async with db.unit() as unit:
            assert (await unit.session.scalars(select(utc_now() < later))).one()
            assert not (await unit.session.scalars(select(utc_now(120) < later))).one()


class TestSchema:
    async def test_database_has_the_columns_of_the_models(self, db: Database) -> None:
        async with db.engine.connect() as connection:
            columns = await connection.run_sync(
                lambda sync: {column["name"]: str(column["type"]) for column in inspect(sync).get_columns("authors")}
            )
        assert next(iter(columns)) == "id"
        assert list(columns)[-2:] == ["created_at", "updated_at"]
