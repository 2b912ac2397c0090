"""MySQL databases that are lent to one test after another."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from bongsu.mixins import Database
from tests.infrastructure import templates
from tests.infrastructure.templates import MysqlTemplates, Schema


async def create_things(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE things (id INT PRIMARY KEY)"))


SCHEMA = Schema("things", create_things)


@pytest.fixture
def lender(mysql_server_url: str) -> Iterator[MysqlTemplates]:
    lender = MysqlTemplates(mysql_server_url, lock_wait_s=1)
    yield lender
    lender.drop()


def connect(url: str) -> Connection:
    return create_engine(make_url(url).set(drivername="mysql+pymysql")).connect()


class TestLend:
    def test_rows_of_the_test_before_are_deleted(self, lender: MysqlTemplates) -> None:
        with lender.lend(SCHEMA) as url, connect(url) as connection, connection.begin():
            connection.execute(text("INSERT INTO things VALUES (1)"))
        with lender.lend(SCHEMA) as again, connect(again) as connection:
            assert again == url
            assert connection.scalars(text("SELECT id FROM things")).all() == []

    def test_test_fails_when_it_leaves_a_transaction_open(
        self, lender: MysqlTemplates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lending = lender.lend(SCHEMA)
        connection = connect(lending.__enter__())
        connection.execute(text("INSERT INTO things VALUES (1)"))
        drop = templates._MysqlDatabase.drop

        def close_and_drop(database: templates._MysqlDatabase) -> None:
            connection.close()  # else DROP DATABASE waits for it as well
            drop(database)

        monkeypatch.setattr(templates._MysqlDatabase, "drop", close_and_drop)
        with pytest.raises(DBAPIError, match="Lock wait timeout"):
            lending.__exit__(None, None, None)
