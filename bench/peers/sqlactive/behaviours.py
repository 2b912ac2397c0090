"""sqlactive's answers."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from sqlactive import ActiveRecordBaseModel, DBConnection

from bench.peers.cases import Instance, Model, Models, NotOffered, answer


class Base(ActiveRecordBaseModel):
    __abstract__ = True


class Library:
    async def open(self, path: Path) -> None:
        self.connection = DBConnection(f"sqlite+aiosqlite:///{path}")
        await self.connection.init_db(Base)

    async def close(self) -> None:
        await self.connection.close()

    def unit(self) -> AbstractAsyncContextManager[object]:
        raise NotOffered  # every call commits

    async def create(self, model: Model, **values: object) -> Instance:
        return await model.insert(**values)

    async def update(self, instance: Instance, **values: object) -> None:
        await instance.update(**values)

    async def find(self, model: Model, **lookups: object) -> Sequence[Instance]:
        spelled = {key.replace("posts__", "posts___"): value for key, value in lookups.items()}
        return await model.where(**spelled).all()

    async def bulk_create(self, instances: Sequence[Instance]) -> None:
        await type(instances[0]).insert_all(instances)

    async def delete(self, instance: Instance) -> None:
        await instance.delete()

    async def upsert(self, model: Model, rows: Sequence[dict[str, object]], by: str) -> None:
        del model, rows, by
        raise NotOffered

    async def count(self, model: Model, limit: int) -> int:
        return await model.limit(limit).count()

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        del work
        raise NotOffered

    def checked_out(self) -> int:
        return self.connection.async_engine.pool.checkedout()


if __name__ == "__main__":
    answer(Library(), Models(Base), "sqlactive")
