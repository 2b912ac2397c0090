"""Our mixins' answers."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import MetaData

from bench.peers.cases import Instance, Models, answer
from bongsu.mixins import Base, CRUDMixin, Database, ReprMixin, SoftDeleteMixin

Values: TypeAlias = Any
"""Of the columns of any model."""


class OurModel(CRUDMixin, ReprMixin, Base):
    __abstract__ = True
    metadata = MetaData()


class Library:
    async def open(self, path: Path) -> None:
        self.database = Database(f"sqlite+aiosqlite:///{path}", OurModel)
        await self.database.create_all()

    async def close(self) -> None:
        await self.database.dispose()

    def unit(self) -> AbstractAsyncContextManager[object]:
        return self.database.unit()

    async def create(self, model: type[OurModel], **values: Values) -> Instance:
        return await model.create(**values)

    async def update(self, instance: OurModel, **values: Values) -> None:
        await instance.update(**values)

    async def find(self, model: type[OurModel], **lookups: object) -> Sequence[Instance]:
        return await model.filter_by(**lookups).all()

    async def bulk_create(self, instances: Sequence[OurModel]) -> None:
        await type(instances[0]).bulk_create(instances)

    async def delete(self, instance: OurModel) -> None:
        await instance.delete()

    async def upsert(self, model: type[OurModel], rows: Sequence[dict[str, object]], by: str) -> None:
        await model.upsert(rows, by=by)

    async def count(self, model: type[OurModel], limit: int) -> int:
        return await model.query().limit(limit).count()

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        await self.database.run(work)

    def checked_out(self) -> int:
        return self.database.engine.pool.checkedout()  # type: ignore[attr-defined, no-any-return]  # a queue's


if __name__ == "__main__":
    answer(Library(), Models(OurModel, SoftDeleteMixin), "bongsu")
