"""Rows found by their key or by unique values, and made where there are none: one at a time, or many by an upsert."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Insert, literal_column, null
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from bongsu.mixins.base import Base
from bongsu.mixins.bulk import Row, chunks, grouped
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import MultipleFound, WrongValueForLookup
from bongsu.mixins.fields import Fields, eager_loads, fields_of
from bongsu.mixins.instances import attached, loaded_objects, read_again, read_unknown, refresh_loaded
from bongsu.mixins.query import Query
from bongsu.mixins.sessions import atomically, in_savepoint, write
from bongsu.mixins.types import MYSQL_NAMES
from bongsu.mixins.values import coerced, is_expression

M = TypeVar("M", bound=Base)


def load_by_key(model: type[M], key: tuple[object, ...]) -> Callable[[Session], M | None]:
    """A function that loads the row with this primary key, or takes it from the session that has it already."""
    fields = fields_of(model)
    if not key:
        raise WrongValueForLookup(
            f"give the key of {model.__name__} ({', '.join(fields.primary_key)}) or unique values of it, by name"
        )
    if len(key) != len(fields.primary_key):
        raise WrongValueForLookup(
            f"the key of {model.__name__} is ({', '.join(fields.primary_key)}), not {len(key)} values"
        )
    parts = [coerced(coerce, part, what) for (coerce, what), part in zip(fields.key_checks, key, strict=True)]
    ident = parts[0] if len(parts) == 1 else tuple(parts)
    deleted_at, loads = fields.deleted_at, eager_loads(model)

    def load(session: Session) -> "M | None":  # quoted: else it is evaluated for each call
        found = None if None in parts else session.get(model, ident, options=loads)
        is_deleted = deleted_at is not None and found is not None and getattr(found, deleted_at) is not None
        return None if is_deleted else found

    return load


async def find_or_insert(
    model: type[M], session: AsyncSession | None, unique: Mapping[str, object], defaults: Mapping[str, object]
) -> tuple[M, bool]:
    """The row with the unique values, else a new one; and whether it is new."""
    query = Query(model).filter_by(**unique)
    values = {**unique, **defaults}

    def work(open_session: Session) -> tuple[M, bool]:
        found = open_session.scalars(query.limit(2).statement).unique().all()
        _refuse_several(found, model, unique)
        if found:
            return found[0], False
        return _insert_or_find(open_session, query, model, values)

    return await write(model, session, work)


async def insert_or_update(
    model: type[M], session: AsyncSession | None, by: str | Sequence[str] | None, values: dict[str, object]
) -> tuple[M, bool]:
    """Updates the row that `by` finds, else inserts one; and whether it was inserted."""
    names = _identifying(fields_of(model), by, values)
    query = Query(model).filter_by(**{name: values[name] for name in names}).with_deleted()
    statement = query.lock().statement

    def work(open_session: Session) -> tuple[M, bool]:
        rows = read_again(open_session, loaded_objects(open_session, model), statement)
        _refuse_several(rows, model, names)
        found, made = (rows[0], False) if rows else _insert_or_find(open_session, query, model, values)
        if not made:
            changes = {name: value for name, value in values.items() if name not in names}
            deleted_at = fields_of(model).deleted_at
            with attached(open_session, found, changes if deleted_at is None else {deleted_at: None} | changes):
                open_session.flush()
                read_unknown(open_session, found)
        return found, made

    return await write(model, session, work)


def _refuse_several(found: Sequence[Base], model: type[Base], names: Iterable[str]) -> None:
    if len(found) > 1:
        raise MultipleFound(f"several {model.__name__} match ({', '.join(names)}) where one was asked for")


def _insert_or_find(session: Session, query: Query[M], model: type[M], values: Mapping[str, object]) -> tuple[M, bool]:
    relations = fields_of(model).relations
    instance = model(**{name: value for name, value in values.items() if name not in relations})
    related = {name: value for name, value in values.items() if name in relations}

    def insert() -> None:
        with attached(session, instance, related, is_creation=True):
            session.flush()
            read_unknown(session, instance)

    try:
        in_savepoint(session, insert)
    except IntegrityError:
        # Another transaction was faster. A locking read sees its row whatever the isolation level.
        known = loaded_objects(session, model)
        winner = next(iter(read_again(session, known, query.lock(read=True).statement)), None)
        if winner is None:
            raise
        return winner, False
    return instance, True


def _identifying(fields: Fields, by: str | Sequence[str] | None, values: Mapping[str, object]) -> Sequence[str]:
    if by is not None:
        names = [by] if isinstance(by, str) else list(by)
        missing = [name for name in names if name not in values]
        if missing:
            raise WrongValueForLookup(f"values are missing for {', '.join(missing)}, by which the row is found")
        return names
    for candidate in (fields.primary_key, *fields.unique_sets):
        if candidate and all(values.get(name) is not None for name in candidate):
            return candidate
    raise WrongValueForLookup(
        f"the values hold neither the key of {fields.model.__name__} nor one of its unique constraints; say by="
    )


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
    groups = grouped(session, fields, rows, python_now())
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
            if not inline:
                session.execute(_upsert_of(model, tuple(names), tuple(taken), is_mysql=is_mysql), chunk)
            elif is_mysql:
                session.execute(_mysql_upsert(fields, inline, taken))
            else:
                session.execute(_sqlite_upsert(fields, inline, names, taken))

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


@cache
def _upsert_of(model: type[Base], names: tuple[str, ...], taken: tuple[str, ...], *, is_mysql: bool) -> Insert:
    """The statement whose values are parameters, built once: that takes as long as to execute it."""
    fields = fields_of(model)
    return _mysql_upsert(fields, (), taken) if is_mysql else _sqlite_upsert(fields, (), names, taken)


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
