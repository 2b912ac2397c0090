"""Rows that are inserted, or update those that exist."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Insert, literal_column, null
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from bongsu.mixins.base import Base
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.fields import Fields, fields_of
from bongsu.mixins.loaded import refresh_loaded
from bongsu.mixins.rows import Row, chunks, grouped
from bongsu.mixins.sessions import atomically
from bongsu.mixins.types import MYSQL_NAMES
from bongsu.mixins.values import is_expression

M = TypeVar("M", bound=Base)


def upsert_rows(  # noqa: PLR0913  # what `upsert` takes
    session: Session,
    model: type[M],
    rows: Sequence[Mapping[str, object]],
    by: str | Sequence[str] | None,
    update_names: Sequence[str] | None,
    *,
    savepoint: bool = True,
) -> None:
    """`INSERT … ON CONFLICT (by) DO UPDATE`, or MySQL's `ON DUPLICATE KEY UPDATE`."""
    fields = fields_of(model)
    if not rows:
        return
    if fields.is_joined:
        raise WrongValueForLookup(
            f"upsert writes one table, and a {model.__name__} is in several: use create_or_update"
        )
    session.flush()
    names = _conflict_names(fields, by, rows[0])
    groups = grouped(fields, rows, python_now())
    if len(groups) != 1:
        raise WrongValueForLookup("the rows of an upsert all have the same fields")
    taken = update_names if update_names is not None else [name for name in rows[0] if name not in names]
    fields.refuse_unknown(taken)
    if taken:  # an update moves these columns, and a marked row is no longer deleted
        given = next(iter(groups))
        moved = [name for name, column in fields.columns.items() if column.onupdate is not None and column.key in given]
        taken = [*taken, *(name for name in moved if name not in taken)]
    parts = list(chunks(next(iter(groups.values())).rows))
    dialect = session.get_bind().dialect
    is_mysql = dialect.name in MYSQL_NAMES
    # As parameters of a statement that is compiled once, of which the driver makes one statement for all rows. Not with
    # SQL values, nor where MySQL needs `AS new`, which the drivers do not recognise: they would send row by row.
    takes_parameters = not is_mysql or not taken or getattr(dialect, "is_mariadb", False)

    def execute() -> None:
        for chunk in parts:
            has_sql = any(is_expression(value) for row in chunk for value in row.values())
            inline = chunk if has_sql or not takes_parameters else ()
            session.execute(
                _mysql_upsert(fields, inline, taken) if is_mysql else _sqlite_upsert(fields, inline, names, taken),
                None if inline else chunk,
            )

    atomically(session, len(rows) if savepoint else 1, execute)
    refresh_loaded(session, model)


def _conflict_names(fields: Fields, by: str | Sequence[str] | None, row: Mapping[str, object]) -> Sequence[str]:
    if by is not None:
        names = [by] if isinstance(by, str) else list(by)
        fields.refuse_unknown(names)
        return names
    for candidate in (fields.primary_key, *fields.unique_sets):
        if candidate and all(name in row for name in candidate):
            return candidate
    raise WrongValueForLookup(
        f"the rows hold neither the key of {fields.model.__name__} nor one of its unique constraints; say by="
    )


class _InsertMissing(Insert):
    """An INSERT that leaves rows alone that exist: SQLAlchemy's own one for MySQL always has an alias for new rows."""

    inherit_cache = True


@compiles(_InsertMissing)
def _render_insert_missing(statement: _InsertMissing, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    key = compiler.preparer.quote(next(iter(statement.table.primary_key)).name)
    inserted = compiler.visit_insert(statement, **options)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    return f"{inserted} ON DUPLICATE KEY UPDATE {key} = {key}"


def _mysql_upsert(fields: Fields, values: Sequence[Row], taken: Sequence[str]) -> Insert:
    if not taken:
        missing = _InsertMissing(fields.table)
        return missing.values(list(values)) if values else missing
    statement = mysql.insert(fields.table)
    if values:
        statement = statement.values(list(values))
    inserted = statement.inserted
    changes: dict[str, Any] = {fields.columns[name].key: inserted[fields.columns[name].key] for name in taken}
    changes |= _moved(fields, changes)
    return statement.on_duplicate_key_update(changes)


def _sqlite_upsert(fields: Fields, values: Sequence[Row], names: Sequence[str], taken: Sequence[str]) -> sqlite.Insert:
    statement = sqlite.insert(fields.table)
    if values:
        statement = statement.values(list(values))
    target = [fields.columns[name] for name in names]
    if not taken:
        return statement.on_conflict_do_nothing(index_elements=target)
    changes: dict[str, Any] = {fields.columns[name].key: statement.excluded[fields.columns[name].key] for name in taken}
    changes |= _moved(fields, changes)
    return statement.on_conflict_do_update(index_elements=target, set_=changes)


def _moved(fields: Fields, changes: Mapping[str, object]) -> dict[str, Any]:
    """The columns that an upsert changes besides the given ones: the version counts up, a deletion mark is removed."""
    moved: dict[str, Any] = {}
    if fields.version is not None:
        # No parameter: of what follows the values, the drivers fill in none where they send many rows.
        moved[fields.columns[fields.version].key] = fields.columns[fields.version] + literal_column("1")
    if fields.deleted_at is not None and fields.columns[fields.deleted_at].key not in changes:
        moved[fields.columns[fields.deleted_at].key] = null()
    return moved
