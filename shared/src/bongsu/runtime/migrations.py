"""Migrations: one alembic history and one version table for each owner of tables."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep, StampStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.runtime.database import as_start_error
from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import get_logger
from bongsu.runtime.revisions import MigrationSet

log = get_logger(__name__)
LOCK_WAIT_S = 120


async def upgrade(engine: AsyncEngine, sets: Sequence[MigrationSet], *, revision: str = "head") -> None:
    """Bring each owner's tables up to `revision`. Several processes may call it concurrently.

    :raises StartError: the database refuses, or has tables of an unknown version.
    """
    await _each(engine, sets, revision, forward=True)


async def downgrade(engine: AsyncEngine, sets: Sequence[MigrationSet], *, revision: str = "base") -> None:
    """Take each owner's tables back to `revision`, the last owner first."""
    await _each(engine, [*reversed(sets)], revision, forward=False)


async def _each(engine: AsyncEngine, sets: Sequence[MigrationSet], revision: str, *, forward: bool) -> None:
    with as_start_error(engine):
        await _each_in_turn(engine, sets, revision, forward=forward)


async def _each_in_turn(engine: AsyncEngine, sets: Sequence[MigrationSet], revision: str, *, forward: bool) -> None:
    async with engine.connect() as connection:
        mysql = connection.dialect.name in ("mysql", "mariadb")
        if mysql:
            # MySQL cannot roll back DDL: two processes must not run one revision concurrently. SQLAlchemy has no
            # expression for its named locks.
            locked = await connection.scalar(text("SELECT GET_LOCK('bongsu_migrate', :wait)"), {"wait": LOCK_WAIT_S})
            if locked != 1:
                raise StartError("Another process is migrating the database; try again")
        try:
            for one in sets:
                await connection.run_sync(_migrate, one, revision, forward)
            await connection.commit()
        finally:
            if mysql:
                # The named lock, as above.
                await connection.scalar(text("SELECT RELEASE_LOCK('bongsu_migrate')"))


def _migrate(connection: Connection, one: MigrationSet, revision: str, forward: bool) -> None:
    with _script(one) as script:

        def steps(current: tuple[str, ...], _context: MigrationContext) -> Sequence[StampStep | RevisionStep]:
            # What alembic's own `upgrade` and `downgrade` commands call; it has no public name.
            find = script._upgrade_revs if forward else script._downgrade_revs  # noqa: SLF001 - no public way
            try:
                found = [*find(revision, current or "base")]  # type: ignore[arg-type] # alembic's annotations differ by direction
            except CommandError as error:
                raise StartError(
                    f"The tables of {one.owner} have the unknown version {', '.join(current)}: "
                    "run the newer Bongsu that created them, or use another database"
                ) from error
            for step in found:
                log.info("migration.applied", owner=one.owner, step=str(step))
            return found

        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(
                connection=connection,
                version_table=one.version_table,
                transaction_per_migration=True,
            )
            with environment.begin_transaction():
                environment.run_migrations()


@contextmanager
def _script(one: MigrationSet) -> Iterator[ScriptDirectory]:
    with as_file(files(one.package)) as folder:
        yield ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
