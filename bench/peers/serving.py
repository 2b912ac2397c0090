"""What runs inside a peer's environment: one library and SQLAlchemy Core run the same operations on command.

It imports the standard library and SQLAlchemy only, as an environment has little more. Commands come as lines of JSON
on the standard input, an answer is a line on the standard output.
"""

import asyncio
import json
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypedDict, cast

from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table, create_engine, event, insert, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bench.measure import Clock, Work, operations_for_a_round, timed

ROWS = 2000
LIMIT = 20
HIGHEST_M = 1500
ROUND_S = 0.08
LARGE_PRIME = 2003  # heights are a permutation, so that there is one right order


class Beacon(Protocol):
    """What both sides give: a model's object, or a row."""

    @property
    def name(self) -> str: ...


class Row(TypedDict):
    name: str
    county: str
    height_m: int


@dataclass(frozen=True)
class Side:
    """One way to do the three operations. Each is a call of its own, with a transaction of its own.

    ``find`` gives the LIMIT highest beacons of a county that are lower than HIGHEST_M.
    """

    table: Table
    create: Callable[[Row], Awaitable[object]]
    get: Callable[[int], Awaitable[Beacon]]
    find: Callable[[str], Awaitable[Sequence[Beacon]]]


OpenSide = Callable[[Path], AbstractAsyncContextManager[Side]]
"""Makes a side whose database is this SQLite file; its tables are made and filled by the caller."""


def row(number: int, county: str | None = None) -> Row:
    county = county or f"County {number % 50}"
    return {"name": f"Beacon {number}", "county": county, "height_m": number * 7 % LARGE_PRIME}


@event.listens_for(Engine, "connect")
def set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """The same settings for everyone."""
    del entry
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def core_table() -> Table:
    return Table(
        "core_beacons",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("name", String(100), nullable=False),
        Column("county", String(50), nullable=False, index=True),
        Column("height_m", Integer, nullable=False),
        Column("created_at", DateTime, nullable=False, default=lambda: datetime.now(UTC)),
        Column("updated_at", DateTime, nullable=False, default=lambda: datetime.now(UTC)),
    )


@asynccontextmanager
async def core(path: Path) -> AsyncIterator[Side]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    table = core_table()

    async def create(values: Row) -> object:
        async with engine.begin() as connection:
            return (await connection.execute(insert(table), {**values})).inserted_primary_key

    async def get(key: int) -> Beacon:
        async with engine.connect() as connection:
            return cast("Beacon", (await connection.execute(select(table).where(table.c.id == key))).one())

    async def find(county: str) -> Sequence[Beacon]:
        query = select(table).where(table.c.county == county, table.c.height_m < HIGHEST_M)
        async with engine.connect() as connection:
            found = await connection.execute(query.order_by(table.c.height_m.desc()).limit(LIMIT))
            return cast("Sequence[Beacon]", found.all())

    yield Side(table, create, get, find)
    await engine.dispose()


@asynccontextmanager
async def synchronous_core(path: Path) -> AsyncIterator[Side]:
    """For a library that has no async form."""
    engine = create_engine(f"sqlite:///{path}")
    table = core_table()

    async def create(values: Row) -> object:
        with engine.begin() as connection:
            return connection.execute(insert(table), {**values}).inserted_primary_key

    async def get(key: int) -> Beacon:
        with engine.connect() as connection:
            return cast("Beacon", connection.execute(select(table).where(table.c.id == key)).one())

    async def find(county: str) -> Sequence[Beacon]:
        query = select(table).where(table.c.county == county, table.c.height_m < HIGHEST_M)
        with engine.connect() as connection:
            return cast(
                "Sequence[Beacon]", connection.execute(query.order_by(table.c.height_m.desc()).limit(LIMIT)).all()
            )

    yield Side(table, create, get, find)
    engine.dispose()


def fill(path: Path, table: Table) -> None:
    engine = create_engine(f"sqlite:///{path}")
    table.metadata.create_all(engine, [table])
    now = datetime.now(UTC)
    rows = [{**row(number), "id": number, "created_at": now, "updated_at": now} for number in range(1, ROWS + 1)]
    with engine.begin() as connection:
        connection.execute(insert(table), rows)
    engine.dispose()


@asynccontextmanager
async def filled(open_side: OpenSide, path: Path) -> AsyncIterator[Side]:
    async with open_side(path) as side:
        fill(path, side.table)
        yield side


def works(side: Side) -> dict[str, Work]:
    async def create(operations: int) -> None:
        for number in range(operations):
            await side.create(row(number, "made"))

    async def get(operations: int) -> None:
        for number in range(operations):
            await side.get(number % ROWS + 1)

    async def find(operations: int) -> None:
        for number in range(operations):
            await side.find(f"County {number % 50}")

    return {"create": create, "get": get, "filter": find}


async def answers(side: Side) -> object:
    """What a side gives for some calls: two sides that give other answers did not do the same work."""
    await side.create(row(5000, "one"))
    got = await side.get(7)
    highest = await side.find("County 7")
    made = await side.find("one")
    return (got.name, [beacon.name for beacon in highest], [beacon.name for beacon in made])


async def _serve(open_side: OpenSide, packages: Sequence[str], note: str, *, is_async: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="bongsu-bench-") as name:
        folder = Path(name)
        async with (
            filled(open_side, folder / "peer.sqlite3") as peer,
            filled(core if is_async else synchronous_core, folder / "core.sqlite3") as baseline,
        ):
            if (given := await answers(peer)) != (expected := await answers(baseline)):
                sys.exit(f"it answers {given}, and Core {expected}")
            sides = {"peer": works(peer), "core": works(baseline)}
            versions = {package: version(package) for package in (*packages, "sqlalchemy")}
            print(json.dumps({"versions": versions | {"python": platform.python_version()}, "note": note}), flush=True)
            for line in sys.stdin:
                command = json.loads(line)
                work = sides[command["side"]][command["work"]]
                if command["operations"] is None:
                    answer: float = await operations_for_a_round(work, Clock.CPU, ROUND_S)
                else:
                    answer = await timed(work, command["operations"], Clock.CPU)
                print(json.dumps(answer), flush=True)


def serve(open_side: OpenSide, packages: Sequence[str] = (), note: str = "", *, is_async: bool = True) -> None:
    """A worker's main function: say which versions these are, then measure what is asked for until the input ends."""
    asyncio.run(_serve(open_side, packages, note, is_async=is_async))
