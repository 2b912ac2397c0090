"""advanced-alchemy's answers: a repository for each session, as its documentation shows it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.filters import LimitOffset, SearchFilter
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peers.cases import Instance, Model, Models, NotOffered, answer

_session: ContextVar[AsyncSession | None] = ContextVar("session", default=None)


class Library:
    async def open(self, path: Path) -> None:
        self.engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        async with self.engine.begin() as connection:
            await connection.run_sync(DefaultBase.metadata.create_all)

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        async with self.sessions() as session:
            token = _session.set(session)
            try:
                yield
                await session.commit()
            finally:
                _session.reset(token)

    @asynccontextmanager
    async def repository(self, model: Model) -> AsyncIterator[Any]:
        kind = type("Repository", (SQLAlchemyAsyncRepository,), {"model_type": model})
        session = _session.get()
        if session is not None:
            yield kind(session=session)
            return
        async with self.sessions() as session:
            yield kind(session=session, auto_commit=True)

    async def create(self, model: Model, **values: object) -> Instance:
        async with self.repository(model) as repository:
            return await repository.add(model(**values))

    async def update(self, instance: Instance, **values: object) -> None:
        async with self.repository(type(instance)) as repository:
            for name, value in values.items():
                setattr(instance, name, value)
            await repository.update(instance)

    async def find(self, model: Model, **lookups: object) -> Sequence[Instance]:
        filters: list[Any] = []
        for key in [key for key in lookups if "__" in key]:
            *path, name, lookup = key.split("__")
            value = lookups.pop(key)
            if path or lookup != "contains":
                raise NotOffered  # by SQLAlchemy's own expressions only
            filters.append(SearchFilter(name, value))
        async with self.repository(model) as repository:
            return await repository.list(*filters, **lookups)

    async def bulk_create(self, instances: Sequence[Instance]) -> None:
        async with self.repository(type(instances[0])) as repository:
            await repository.add_many(list(instances))

    async def delete(self, instance: Instance) -> None:
        async with self.repository(type(instance)) as repository:
            await repository.delete(instance.id)

    async def upsert(self, model: Model, rows: Sequence[dict[str, object]], by: str) -> None:
        async with self.repository(model) as repository:
            await repository.upsert_many([model(**row) for row in rows], match_fields=[by])

    async def count(self, model: Model, limit: int) -> int:
        async with self.repository(model) as repository:
            return await repository.count(LimitOffset(limit, 0))

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        del work
        raise NotOffered

    def checked_out(self) -> int:
        return self.engine.pool.checkedout()


if __name__ == "__main__":
    answer(Library(), Models(DefaultBase), "advanced-alchemy")
