"""The mixins against the same work in plain SQLAlchemy, on one database with the same connections and settings.

Both sides write the same columns with the same types, ten calls a transaction, so that what is compared is the layer
and not the commit. The statements are counted too: a layer must not be quick by the clock and chatty on the wire.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import String, event, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.measure import SHORT_ROUND_S, Benchmark, Pair, Work, at_least, at_most
from bongsu.mixins import BaseModel, Database, UTCDateTime, UUIDKey, uuid7

ROWS = 1000
A_TRANSACTION = 10
BULK_ROWS = 500


class Beacon(BaseModel):
    __tablename__ = "bench_beacons"

    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]


class PlainBase(DeclarativeBase):
    pass


def now() -> datetime:
    return datetime.now(UTC)


class PlainBeacon(PlainBase):
    """The same table, written with nothing but SQLAlchemy."""

    __tablename__ = "plain_beacons"

    id: Mapped[UUID] = mapped_column(UUIDKey(), primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime(), default=now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime(), default=now, onupdate=now)


PLAIN_TABLE = PlainBase.metadata.tables[PlainBeacon.__tablename__]


@dataclass(frozen=True)
class Scene:
    """The database with the same rows in both tables."""

    db: Database
    ids: list[UUID]
    plain_ids: list[UUID]

    def session(self) -> AsyncSession:
        """SQLAlchemy's own: the library's remembers objects and checks values."""
        return AsyncSession(self.db.engine, expire_on_commit=False)

    async def count(self, work: Work) -> int:
        """The statements that a transaction of the work sends."""
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        engine = self.db.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            await work(1)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)


class Row(TypedDict):
    name: str
    county: str
    height_m: int


def row(number: int) -> Row:
    return {"name": f"Beacon {number}", "county": f"County {number % 50}", "height_m": number % 900}


@asynccontextmanager
async def scene(make_database: MakeDatabase = sqlite) -> AsyncIterator[Scene]:
    async with make_database() as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Beacon.metadata.tables[Beacon.__tablename__].create)
            await connection.run_sync(PlainBase.metadata.create_all)
        async with db.unit():
            made = [await Beacon.create(**row(number)) for number in range(ROWS)]
        async with db.session() as session, session.begin():
            plain = [PlainBeacon(**row(number)) for number in range(ROWS)]
            session.add_all(plain)
        yield Scene(db, [beacon.id for beacon in made], [beacon.id for beacon in plain])


def transactions(number: int) -> list[range]:
    """The numbers of the calls of each transaction."""
    return [range(start, start + A_TRANSACTION) for start in range(0, number * A_TRANSACTION, A_TRANSACTION)]


def create(at: Scene) -> Pair:
    async def ours(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.db.unit():
                for number in numbers:
                    await Beacon.create(**row(number))

    async def baseline(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.session() as session, session.begin():
                for number in numbers:
                    session.add(PlainBeacon(**row(number)))
                    await session.flush()

    return Pair(ours, baseline, at.count)


def get(at: Scene) -> Pair:
    async def ours(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.db.unit():
                for number in numbers:
                    await Beacon.get(at.ids[number % ROWS])

    async def baseline(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.session() as session, session.begin():
                for number in numbers:
                    await session.get_one(PlainBeacon, at.plain_ids[number % ROWS])

    return Pair(ours, baseline, at.count)


def filtered(at: Scene) -> Pair:
    async def ours(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.db.unit():
                for number in numbers:
                    query = Beacon.filter_by(county=f"County {number % 50}", height_m__lt=800)
                    await query.order_by("-created_at").limit(10).all()

    async def baseline(operations: int) -> None:
        for numbers in transactions(operations):
            async with at.session() as session, session.begin():
                for number in numbers:
                    query = select(PlainBeacon).where(
                        PlainBeacon.county == f"County {number % 50}", PlainBeacon.height_m < 800
                    )
                    found = await session.scalars(query.order_by(PlainBeacon.created_at.desc()).limit(10))
                    found.all()

    return Pair(ours, baseline, at.count)


def bulk_create(at: Scene) -> Pair:
    rows = [row(number) for number in range(BULK_ROWS)]

    async def ours(operations: int) -> None:
        for _ in range(operations):
            async with at.db.unit():
                await Beacon.bulk_create(rows)

    async def baseline(operations: int) -> None:
        for _ in range(operations):
            async with at.session() as session, session.begin():
                made = now()
                keys = {"created_at": made, "updated_at": made}
                complete = [{**values, **keys, "id": uuid7()} for values in rows]
                connection = await session.connection()  # Core: the session would make an ORM bulk insert of it
                await connection.execute(insert(PLAIN_TABLE), complete)

    return Pair(ours, baseline, at.count)


def on_a_scene(
    pair: Callable[[Scene], Pair], make_database: MakeDatabase
) -> Callable[[], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def prepare() -> AsyncIterator[Pair]:
        async with scene(make_database) as at:
            yield pair(at)

    return prepare


DATABASES = (("", sqlite), *([(" on MySQL", mysql)] if has_mysql() else []))

BENCHMARKS = tuple(
    Benchmark(f"mixins: {name}{where}", on_a_scene(pair, make_database), budget, units=units, round_s=SHORT_ROUND_S)
    for where, make_database in DATABASES
    for name, pair, budget, units in (
        ("create", create, at_most(1.05), A_TRANSACTION),
        ("get", get, at_most(1.05), A_TRANSACTION),
        ("filter", filtered, at_most(1.05), A_TRANSACTION),
        ("bulk_create", bulk_create, at_least(0.95), BULK_ROWS),
    )
)
