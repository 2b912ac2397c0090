"""Our mixins, in our own environment."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import String, Table
from sqlalchemy.orm import Mapped, mapped_column

from bench.peers.serving import HIGHEST_M, LIMIT, Row, Side, serve
from bongsu.mixins import Database, IntegerBaseModel


class Beacon(IntegerBaseModel):
    __tablename__ = "peer_beacons"

    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]


async def create(values: Row) -> Beacon:
    return await Beacon.create(**values)


async def get(key: int) -> Beacon:
    return await Beacon.get(key)


async def find(county: str) -> Sequence[Beacon]:
    return await Beacon.filter_by(county=county, height_m__lt=HIGHEST_M).order_by("-height_m").limit(LIMIT).all()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Side]:
    database = Database(f"sqlite+aiosqlite:///{path}")
    yield Side(cast("Table", Beacon.__table__), create, get, find)
    await database.dispose()


if __name__ == "__main__":
    serve(opened, ["bongsu"])
