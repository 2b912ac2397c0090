"""sqlactive, as its documentation shows it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlactive import ActiveRecordBaseModel, DBConnection
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from bench.peers.serving import HIGHEST_M, LIMIT, Row, Side, serve


class BaseModel(ActiveRecordBaseModel):
    __abstract__ = True


class Beacon(BaseModel):
    __tablename__ = "peer_beacons"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]


async def create(values: Row) -> Beacon:
    return await Beacon.insert(**values)


async def get(key: int) -> Beacon:
    return await Beacon.get_or_fail(key)


async def find(county: str) -> Sequence[Beacon]:
    return await Beacon.where(county=county, height_m__lt=HIGHEST_M).order_by("-height_m").limit(LIMIT).all()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Side]:
    connection = DBConnection(f"sqlite+aiosqlite:///{path}")
    BaseModel.set_session(connection.async_scoped_session)
    yield Side(Beacon.__table__, create, get, find)
    await connection.close()


if __name__ == "__main__":
    serve(opened, ["sqlactive"], "reads a row again after it made it")
