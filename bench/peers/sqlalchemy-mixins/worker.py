"""sqlalchemy-mixins, whose release has no async form."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker
from sqlalchemy_mixins import AllFeaturesMixin, TimestampsMixin

from bench.peers.serving import HIGHEST_M, LIMIT, Row, Side, serve


class Base(DeclarativeBase):
    pass


class BaseModel(Base, AllFeaturesMixin, TimestampsMixin):
    __abstract__ = True


class Beacon(BaseModel):
    __tablename__ = "peer_beacons"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    county: Mapped[str] = mapped_column(String(50), index=True)
    height_m: Mapped[int]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Side]:
    engine = create_engine(f"sqlite:///{path}")
    sessions = scoped_session(sessionmaker(engine, expire_on_commit=False))
    BaseModel.set_session(sessions)

    async def create(values: Row) -> Beacon:
        beacon = Beacon.create(**values)
        sessions.remove()
        return beacon

    async def get(key: int) -> Beacon:
        beacon = Beacon.find_or_fail(key)
        sessions.remove()
        return beacon

    async def find(county: str) -> Sequence[Beacon]:
        filters = {"county": county, "height_m__lt": HIGHEST_M}
        found = Beacon.smart_query(filters=filters, sort_attrs=["-height_m"]).limit(LIMIT).all()
        sessions.remove()
        return found

    yield Side(Beacon.__table__, create, get, find)
    engine.dispose()


if __name__ == "__main__":
    serve(opened, ["sqlalchemy-mixins"], "has no async form: synchronous, against synchronous Core", is_async=False)
