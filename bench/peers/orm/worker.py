"""Plain SQLAlchemy ORM, in our own environment."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from sqlalchemy import String, Table, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.peers.serving import HIGHEST_M, LIMIT, Row, Side, serve


class Base(DeclarativeBase):
    pass


def now() -> datetime:
    return datetime.now(UTC)


class Beacon(Base):
    __tablename__ = "peer_beacons"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Side]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def create(values: Row) -> Beacon:
        async with sessions() as session, session.begin():
            session.add(beacon := Beacon(**values))
        return beacon

    async def get(key: int) -> Beacon:
        async with sessions() as session:
            return await session.get_one(Beacon, key)

    async def find(county: str) -> Sequence[Beacon]:
        query = select(Beacon).where(Beacon.county == county, Beacon.height_m < HIGHEST_M)
        async with sessions() as session:
            return (await session.scalars(query.order_by(Beacon.height_m.desc()).limit(LIMIT))).all()

    yield Side(cast("Table", Beacon.__table__), create, get, find)
    await engine.dispose()


if __name__ == "__main__":
    serve(opened)
