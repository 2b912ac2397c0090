"""Whether the tables are at their newest revision. Without alembic, which takes 10 MiB and only migrations need."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.runtime.database import as_start_error
from bongsu.runtime.errors import StartError


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """One owner's history: revision files in `versions/` of a package, `0007_name.py` for the revision `owner_0007`."""

    owner: str
    package: str

    @property
    def version_table(self) -> str:
        """The table with this owner's current revision."""
        return f"alembic_version_{self.owner}"

    @property
    def newest(self) -> str:
        """The newest revision."""
        names = (entry.name for entry in files(self.package).joinpath("versions").iterdir())
        return f"{self.owner}_{max(name[:4] for name in names if name[:4].isdigit())}"


async def pending(engine: AsyncEngine, sets: Sequence[MigrationSet]) -> list[str]:
    """Find the owners whose tables are not at the newest revision."""

    def look(connection: Connection) -> list[str]:
        return [one.owner for one in sets if _find_current(connection, one) != one.newest]

    with as_start_error(engine):
        async with engine.connect() as connection:
            return await connection.run_sync(look)


def _find_current(connection: Connection, one: MigrationSet) -> str | None:
    if not inspect(connection).has_table(one.version_table):
        return None
    # SQL of its own, as the table is alembic's.
    return connection.scalar(select(column("version_num")).select_from(table(one.version_table)))


async def require_current(engine: AsyncEngine, sets: Sequence[MigrationSet]) -> None:
    """Require every owner's tables to be at the newest revision.

    :raises StartError: names the owners whose tables are not.
    """
    behind = await pending(engine, sets)
    if behind:
        raise StartError(f"The tables of {', '.join(behind)} are not up to date; run `bongsu migrate`")
