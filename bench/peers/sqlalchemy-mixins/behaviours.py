"""sqlalchemy-mixins' answers: its release has no async form."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker
from sqlalchemy_mixins import AllFeaturesMixin

from bench.peers.cases import Instance, Model, Models, NotOffered, answer


class Base(DeclarativeBase):
    pass


class PeerModel(Base, AllFeaturesMixin):
    __abstract__ = True


class Library:
    commit = True

    async def open(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        Base.metadata.create_all(self.engine)
        self.sessions = scoped_session(sessionmaker(self.engine, expire_on_commit=False))
        PeerModel.set_session(self.sessions)

    async def close(self) -> None:
        self.sessions.remove()
        self.engine.dispose()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        self.commit = False
        try:
            yield
            self.sessions.commit()
        except BaseException:
            self.sessions.rollback()
            raise
        finally:
            self.commit = True

    async def create(self, model: Model, **values: object) -> Instance:
        made = model.create(commit=self.commit, **values)
        self.sessions.flush()
        return made

    async def update(self, instance: Instance, **values: object) -> None:
        instance.update(commit=self.commit, **values)
        self.sessions.flush()

    async def find(self, model: Model, **lookups: object) -> Sequence[Instance]:
        spelled = {key.replace("posts__", "posts___"): value for key, value in lookups.items()}
        return model.where(**spelled).all()

    async def bulk_create(self, instances: Sequence[Instance]) -> None:
        del instances
        raise NotOffered

    async def delete(self, instance: Instance) -> None:
        instance.delete()

    async def upsert(self, model: Model, rows: Sequence[dict[str, object]], by: str) -> None:
        del model, rows, by
        raise NotOffered

    async def count(self, model: Model, limit: int) -> int:
        return model.query.limit(limit).count()

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        del work
        raise NotOffered

    def checked_out(self) -> int:
        raise NotOffered  # nothing of it can be called by two tasks


if __name__ == "__main__":
    answer(Library(), Models(PeerModel), "sqlalchemy-mixins")
