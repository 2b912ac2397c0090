from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, MetaData, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped
from sqlalchemy.pool import ConnectionPoolEntry

from bongsu.mixins import Base, BaseModel, Database, is_unavailable


class PooledBase(Base):
    __abstract__ = True
    metadata = MetaData()


class Pooled(PooledBase, BaseModel):
    label: Mapped[str]


@pytest.fixture(params=[0.0])
def ping_idle_s(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
async def pool_of_one(url: URL, ping_idle_s: float) -> AsyncIterator[Database]:
    """Every use is of the same connection."""
    database = Database(url, PooledBase, pool_size=1, max_overflow=0, ping_idle_s=ping_idle_s)
    await database.create_all()
    yield database
    await database.drop_all()
    await database.dispose()


async def is_killed_on_the_server(database: Database, url: URL) -> None:
    other = Database(url, PooledBase)
    async with database.engine.connect() as connection:
        number = (await connection.execute(text("SELECT CONNECTION_ID()"))).scalar_one()
    async with other.engine.connect() as connection:
        await connection.execute(text(f"KILL {number:d}"))
    await other.dispose()
    PooledBase.__database__ = database


@pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
class TestPing:
    async def test_a_connection_that_the_server_closed_while_it_lay_idle_is_replaced(
        self, pool_of_one: Database, url: URL
    ) -> None:
        await is_killed_on_the_server(pool_of_one, url)
        await Pooled.create(label="x")
        assert await Pooled.row_count() == 1

    @pytest.mark.parametrize("ping_idle_s", [3600.0], indirect=True)
    async def test_recently_used_connection_fails_once_and_is_replaced(self, pool_of_one: Database, url: URL) -> None:
        await is_killed_on_the_server(pool_of_one, url)
        with pytest.raises(DBAPIError):
            await Pooled.row_count()
        assert await Pooled.row_count() == 0

    @pytest.mark.parametrize("ping_idle_s", [3600.0], indirect=True)
    async def test_database_is_unavailable_when_a_unit_that_waits_shortly_takes_a_closed_connection(
        self, pool_of_one: Database, url: URL
    ) -> None:
        """Its first statement is one of the engine's own: taken for a defect, the work would not be repeated."""
        await is_killed_on_the_server(pool_of_one, url)
        with pytest.raises(DBAPIError) as caught:
            async with pool_of_one.unit(short_lock_wait=True):
                await Pooled.row_count()
        assert is_unavailable(caught.value)
        async with pool_of_one.unit(short_lock_wait=True):
            assert await Pooled.row_count() == 0

    async def test_sqlalchemy_s_own_ping_may_be_had_instead(self, url: URL) -> None:
        database = Database(url, PooledBase, pool_size=1, max_overflow=0, pool_pre_ping=True, ping_idle_s=3600)
        await database.create_all()
        await is_killed_on_the_server(database, url)
        assert await Pooled.row_count() == 0
        await database.drop_all()
        await database.dispose()


class TestDispose:
    async def test_connection_that_is_in_use_is_closed_when_it_is_returned(self, pool_of_one: Database) -> None:
        """The pool that it was taken from is gone by then, and nothing else would close it."""
        closed: list[object] = []

        def note_closed(connection: object, entry: ConnectionPoolEntry) -> None:
            del entry
            closed.append(connection)

        event.listen(pool_of_one.engine.sync_engine, "close", note_closed)
        async with pool_of_one.engine.connect() as connection:
            used = (await connection.get_raw_connection()).dbapi_connection
            await pool_of_one.engine.dispose()
            assert not closed
            await connection.execute(text("SELECT 1"))
        assert closed == [used]

    async def test_connection_that_is_opened_afterwards_is_kept(self, pool_of_one: Database) -> None:
        await pool_of_one.engine.dispose()
        used = []
        for _ in range(2):
            async with pool_of_one.engine.connect() as connection:
                used.append((await connection.get_raw_connection()).dbapi_connection)
        assert used[0] is used[1]
