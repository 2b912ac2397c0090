"""advanced-alchemy: a repository for each session, as its documentation shows it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from advanced_alchemy.base import BigIntAuditBase
from advanced_alchemy.filters import LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import String
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column

from bench.peers.serving import HIGHEST_M, LIMIT, Row, Side, serve


class Beacon(BigIntAuditBase):
    __tablename__ = "peer_beacons"

    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]


class Beacons(SQLAlchemyAsyncRepository[Beacon]):
    model_type = Beacon


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Side]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def create(values: Row) -> Beacon:
        async with sessions() as session:
            return await Beacons(session=session).add(Beacon(**values), auto_commit=True)

    async def get(key: int) -> Beacon:
        async with sessions() as session:
            return await Beacons(session=session).get(key)

    async def find(county: str) -> Sequence[Beacon]:
        async with sessions() as session:
            return await Beacons(session=session).list(
                Beacon.height_m < HIGHEST_M, OrderBy("height_m", "desc"), LimitOffset(LIMIT, 0), county=county
            )

    yield Side(Beacon.__table__, create, get, find)
    await engine.dispose()


if __name__ == "__main__":
    serve(opened, ["advanced-alchemy"], "reads a row again after it made it")
