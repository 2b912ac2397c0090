"""Rows found by their key or by unique values, and made where there are none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bongsu.mixins.base import Base
from bongsu.mixins.errors import MultipleFound, WrongValueForLookup
from bongsu.mixins.fields import Fields, fields_of
from bongsu.mixins.instances import set_values
from bongsu.mixins.loaded import eager_loads, loaded_objects, read_again
from bongsu.mixins.query import Query
from bongsu.mixins.sessions import in_savepoint, write
from bongsu.mixins.values import coerced

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
            set_values(found, changes if deleted_at is None else {deleted_at: None} | changes)
            open_session.flush()
        return found, made

    return await write(model, session, work)


def _refuse_several(found: Sequence[Base], model: type[Base], names: Iterable[str]) -> None:
    if len(found) > 1:
        raise MultipleFound(f"several {model.__name__} match ({', '.join(names)}) where one was asked for")


def _insert_or_find(session: Session, query: Query[M], model: type[M], values: Mapping[str, object]) -> tuple[M, bool]:
    instance = model(**values)

    def insert() -> None:
        session.add(instance)
        session.flush()

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
