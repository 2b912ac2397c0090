"""Many rows by few statements: their values checked and completed, grouped, and written."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Column, CursorResult, bindparam, case, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from bongsu.mixins.base import Base
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import StaleVersion, WrongValueForLookup
from bongsu.mixins.fields import Fields, Initial, Key, among, fields_of, keys_among
from bongsu.mixins.instances import (
    are_many_loaded,
    attached,
    read_unknown,
    reference,
    refresh_loaded,
    refuse_in_use,
    settle_references,
    state_of,
)
from bongsu.mixins.memory import MemorySession
from bongsu.mixins.sessions import atomically
from bongsu.mixins.values import is_expression
from bongsu.mixins.writes import Writes

M = TypeVar("M", bound=Base)
Row = dict[str, object]

_MAX_PARAMETERS = 30_000  # SQLite takes 32,766 a statement


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same fields, and which of them are objects'."""

    rows: list[Row] = field(default_factory=list)
    objects: list[tuple[int, Base]] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    """The fields whose values were not made here."""

    def finish(self, session: Session, fields: Fields) -> None:
        """Checks the given values, and names all by their columns."""
        for name in self.given:
            values, bounds = [row[name] for row in self.rows], fields.bounds[name]
            if bounds is None or not bounds.fit_all(values):
                for row in self.rows:
                    row[name] = fields.checked(name, row[name])
        fields.refuse_inexact(session, self.rows)
        renamed = {name: fields.columns[name].key for name in self.rows[0]}
        if any(name != key for name, key in renamed.items()):
            self.rows[:] = [{renamed[name]: value for name, value in row.items()} for row in self.rows]


def grouped(
    session: Session, fields: Fields, rows: Iterable["Mapping[str, object] | M"], now: datetime
) -> dict[tuple[str, ...], Group]:
    """The rows by the fields they have, each complete, and under its columns' names."""
    groups: dict[tuple[str, ...], Group] = {}
    known: dict[tuple[str, ...], tuple[Row, list[tuple[str, Initial]], Group]] = {}
    for row in rows:
        # Nearly every row is a dict, and a call is about very many of them.
        instance: Base | None = None
        given: Mapping[str, object]
        if type(row) is not dict and isinstance(row, Base):
            instance, given = row, _insertable(fields, row)
        else:
            given = row
        names = tuple(given)
        found = known.get(names)
        if found is None:
            same, keys = _missing(fields, names, now)
            columns = tuple(sorted(fields.columns[name].key for name in {*names, *same, *dict(keys)}))
            found = known[names] = (same, keys, groups.setdefault(columns, Group()))
            found[2].given.update(names)
        same, keys, group = found
        complete = {**given, **same}
        for name, make in keys:
            complete[name] = make(now)
        if instance is not None:
            group.objects.append((len(group.rows), instance))
        group.rows.append(complete)
    for group in groups.values():
        group.finish(session, fields)
    return groups


def _missing(fields: Fields, names: tuple[str, ...], now: datetime) -> tuple[Row, list[tuple[str, Initial]]]:
    """What rows with these fields lack: the values that all rows of the call have, and the parts of a key."""
    fields.refuse_unknown(names)
    wanted = {name: make for name, make in fields.initial if name not in names}
    keys = [(name, wanted.pop(name)) for name in fields.primary_key if name in wanted]
    same = {name: make(now) for name, make in wanted.items()}
    if fields.identity is not None and fields.identity[0] not in names:
        same |= dict([fields.identity])
    return same, keys


def _insertable(fields: Fields, row: Base) -> Row:
    """An object's columns, those that nothing has set included: rows of one model then share a statement."""
    loaded = state_of(row).dict | references(fields, row, [name for name in fields.relations if name in row.__dict__])
    return {
        name: loaded.get(name)
        for name, column in fields.columns.items()
        if name in loaded or (name in fields.blank and not column.type.should_evaluate_none)
    }


def references(fields: Fields, row: Base, names: Iterable[str]) -> Row:
    """The columns of relations to one object each; an error for any other, which a bulk write would drop."""
    columns: Row = {}
    state = state_of(row)
    for name in names:
        found: Row | None = None
        if name not in fields.collections:
            found = reference(fields.relations[name], state.dict[name], None)
        elif not state.dict[name] and (state.key is None or name not in state.committed_state):
            found = {}
        if found is None:
            raise WrongValueForLookup(
                f"bulk writes are about rows of {fields.model.__name__} only, and {fields.model.__name__}.{name} holds "
                "objects that are to be written too: save them first, or use save()"
            )
        columns |= found
    return columns


def _refuse_others(model: type[DeclarativeBase], row: Base) -> None:
    if not isinstance(row, model):
        raise WrongValueForLookup(f"bulk writes of {model.__name__} take objects of it, not {row!r}")


def chunks(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    widest = max((len(row) for row in rows), default=1)
    size = max(1, _MAX_PARAMETERS // (2 * widest))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def bulk_insert(
    session: Session, model: type[M], rows: Sequence["Mapping[str, object] | M"], *, savepoint: bool = True
) -> int:
    """Inserts the rows, one statement for all that have the same fields; objects get what was made for them."""
    for row in rows:
        if type(row) is not dict and isinstance(row, Base):
            refuse_in_use(session, [state_of(row)])
            _refuse_others(model, row)
            if state_of(row).key is not None:
                raise WrongValueForLookup(f"bulk_create inserts new objects, and {row!r} has or had a row already")
    session.flush()
    if any(issubclass(kind, Base) and kind is not model for kind in {*map(type, rows)}):
        return _insert_kinds(session, model, rows, savepoint=savepoint)
    fields = fields_of(model)
    if fields.is_joined:
        return _insert_joined(session, model, rows, savepoint=savepoint)
    groups = grouped(session, fields, rows, python_now())
    steps = len(rows) if savepoint else 1
    made = atomically(session, steps, lambda: [_insert(session, fields, groups[names], names) for names in groups])
    for group, values in zip(groups.values(), made, strict=True):
        for index, instance in group.objects:
            _complete(fields, instance, values[index])
    objects = [instance for group in groups.values() for _, instance in group.objects]
    _read_unknown(session, fields, objects)
    for instance in objects:
        if isinstance(session, MemorySession):
            session.remember(instance)
        settle_references(instance)
        make_transient_to_detached(instance)
    return len(rows)


def _insert_kinds(
    session: Session, model: type[M], rows: Sequence["Mapping[str, object] | M"], *, savepoint: bool
) -> int:
    """Inserts objects of subclasses with the columns of their own."""
    kinds: dict[type[M], list[Mapping[str, object] | M]] = {}
    for row in rows:
        kinds.setdefault(type(row) if isinstance(row, Base) else model, []).append(row)
    steps = len(rows) if savepoint else 1
    return atomically(
        session, steps, lambda: sum(bulk_insert(session, kind, kinds[kind], savepoint=False) for kind in kinds)
    )


def _insert_joined(
    session: Session, model: type[M], rows: Sequence["Mapping[str, object] | M"], *, savepoint: bool
) -> int:
    """Inserts rows of several tables each, by the unit of work of SQLAlchemy: one statement a table."""
    objects = [row if isinstance(row, Base) else model(**row) for row in rows]
    fields = fields_of(model)
    for instance in objects:
        references(fields, instance, [name for name in fields.relations if name in instance.__dict__])

    def insert() -> int:
        with ExitStack() as stack:
            for instance in objects:
                stack.enter_context(attached(session, instance))
            session.flush()
            for instance in objects:
                read_unknown(session, instance)
        for instance in objects:
            session.expunge(instance)
        return len(objects)

    return atomically(session, 2 if savepoint else 1, insert)


def _insert(session: Session, fields: Fields, group: Group, names: Sequence[str]) -> Sequence[Mapping[str, object]]:
    """Inserts a group; gives the values of each row, those that its columns' defaults made included."""
    # SQL is part of the statement, so each row needs its own; and only so is a key known that the database counts.
    has_sql = any(is_expression(group.rows[0][name]) for name in names)
    counted = fields.table.autoincrement_column
    if has_sql or (group.objects and counted is not None and counted.key not in names):
        return [_insert_one(session, fields, row) for row in group.rows]
    result = cast("CursorResult[Any]", session.execute(insert(fields.table), group.rows))
    values = result.last_inserted_params()
    return values if isinstance(values, list) else [values]


def _insert_one(session: Session, fields: Fields, row: Row) -> Mapping[str, object]:
    # Only the SQL is in the statement, the rest are its parameters: SQLAlchemy compiles it once for all rows.
    computed = {name: value for name, value in row.items() if is_expression(value)}
    plain = {name: value for name, value in row.items() if name not in computed}
    result = cast("CursorResult[Any]", session.execute(insert(fields.table).values(computed), plain))
    key = zip(fields.table.primary_key, result.inserted_primary_key or (), strict=False)
    made = cast("Row", result.last_inserted_params())
    return made | {column.key: value for column, value in key if value is not None}


def _complete(fields: Fields, instance: Base, made: Mapping[str, object]) -> None:
    present = state_of(instance).dict
    for name, column in fields.columns.items():
        if column.key not in made:
            continue
        if name not in present:
            set_committed_value(instance, name, made[column.key])
        elif made[column.key] is not present[name] and not is_expression(present[name]):
            present[name] = made[column.key]  # as its column stores it


def _read_unknown(
    session: Session, fields: Fields, objects: Sequence[Base], missing: Collection[str] | None = None
) -> None:
    """Reads what only the database knows: the values of SQL, and of columns that are missing (among those given)."""
    by_key: dict[tuple[object, ...], Base] = {}
    unknown: dict[str, None] = {}
    missing = fields.columns if missing is None else missing
    for instance in objects:
        present = state_of(instance).dict
        names = [
            name
            for name in fields.columns
            if (name in missing if name not in present else is_expression(present[name]))
        ]
        if names and not set(names) & set(fields.primary_key):
            by_key[tuple(present[name] for name in fields.primary_key)] = instance
            unknown.update(dict.fromkeys(names))
    width = len(fields.primary_key)
    columns = [getattr(fields.model, name) for name in (*fields.primary_key, *unknown)]
    for condition in keys_among(fields.model, list(by_key)):
        for row in session.execute(select(*columns).where(condition)):
            for name, value in zip(unknown, row[width:], strict=True):
                set_committed_value(by_key[tuple(row[:width])], name, value)


def _changed(fields: Fields, row: Base, by: str) -> Row:
    """The unsaved values of an object by the names of its columns, and `by`."""
    state = state_of(row)
    unsaved = [name for name in state.committed_state if name in state.dict]
    if others := fields_of(type(row)).columns.keys() & unsaved - fields.columns.keys():
        raise WrongValueForLookup(
            f"{', '.join(sorted(others))} of {row!r} is no field of {fields.model.__name__}: use "
            f"{type(row).__name__}.bulk_update"
        )
    changed = {name: fields.checked(name, state.dict[name]) for name in unsaved if name in fields.columns}
    changed |= references(fields, row, [name for name in unsaved if name in fields.relations])
    if changed.keys() - {by}:
        changed[by] = state.dict.get(by)
    return changed


def _given(fields: Fields, row: "Mapping[str, object] | M", by: str) -> Row:
    if isinstance(row, Base):
        _refuse_others(fields.model, row)
        return _changed(fields, row, by)
    fields.refuse_unknown(row)
    return {name: fields.checked(name, value) for name, value in row.items()}


def bulk_set(session: Session, query: "Writes[M]", rows: Sequence["Mapping[str, object] | M"], by: str) -> int:
    """Writes each row's own values, found by `by`, where the query's conditions hold; gives how many matched."""
    model = query._model  # noqa: SLF001  # a query's parts belong to the library
    fields = fields_of(model)
    fields.refuse_unknown([by])
    refuse_in_use(session, [state_of(row) for row in rows if isinstance(row, Base)])
    given = [values for values in [_given(fields, row, by) for row in rows] if values]
    fields.refuse_inexact(session, given)
    session.flush()
    objects = [row for row in rows if isinstance(row, Base)]
    if given:
        _refuse_stale(session, fields, objects, by)
    made: dict[object, Row] = {}
    parts = [[row] for row in given] if fields.is_joined else list(chunks(given))
    write = _set_joined if fields.is_joined else _set_chunk
    matched = atomically(session, len(parts), lambda: sum(write(session, query, part, by, made) for part in parts))
    if matched == len(given):
        written = [row for row in objects if _note_written(session, fields, row, made.get(state_of(row).dict.get(by)))]
        _read_unknown(session, fields, written, _moved(fields))
    if given and not fields.is_joined:
        keys = _keys_by(session, model, by, given) if are_many_loaded(session, model) else None
        refresh_loaded(session, model, keys)
    return matched


def _refuse_stale(session: Session, fields: Fields, objects: Sequence[Base], by: str) -> None:
    """`StaleVersion` where a row is no longer as an object that has changed knows it; locks the rows until the end."""
    version = fields.version
    if version is None:
        return
    known = {
        state.dict.get(by): state.dict[version]
        for state in map(state_of, objects)
        if state.committed_state and version in state.dict and version not in state.committed_state
    }
    columns = [getattr(fields.model, by), getattr(fields.model, version)]
    for condition in among(columns[:1], [(value,) for value in known]):
        for value, found in session.execute(select(*columns).where(condition).with_for_update(of=fields.model)):
            if known[value] == found:
                del known[value]
    if known:
        raise StaleVersion(
            f"{len(known)} of the {fields.model.__name__} objects: the row was changed or deleted since it was read; "
            "read it again"
        )


def _moved(fields: Fields) -> list[str]:
    """The columns that an update changes although nothing sets them."""
    return [name for name, column in fields.columns.items() if column.onupdate is not None or column.computed]


def _note_written(session: Session, fields: Fields, row: Base, made: Row | None) -> bool:
    """Makes what was unsaved saved, and counts the version as the statement did; whether the object had any."""
    state = state_of(row)
    if not state.committed_state or state.session is session:  # an object of the session is read again
        return False
    if isinstance(session, MemorySession):
        session.remember(row)
    unsaved = [*state.committed_state]
    state.dict.update(references(fields, row, [name for name in unsaved if name in fields.relations]))
    fields.check_object(state.dict, unsaved)
    for name in _moved(fields):
        if name in unsaved or name not in state.dict:
            continue
        if made is not None and name in made:
            state.dict[name] = made[name]
        else:
            del state.dict[name]  # it is read again
    state._commit_all(state.dict)  # noqa: SLF001  # SQLAlchemy has no other name for it
    if fields.version in state.dict and fields.version not in unsaved:
        state.dict[fields.version] += 1
    return True


def _set_joined(session: Session, query: "Writes[M]", rows: Sequence[Row], by: str, made: dict[object, Row]) -> int:
    del made
    values = dict(rows[0])
    return query.filter_by(**{by: values.pop(by)}).update_rows(session, values)


def _keys_by(session: Session, model: type[Base], by: str, rows: Sequence[Row]) -> list[Key]:
    """The keys of the rows that have these rows' values of `by`."""
    column, keys = fields_of(model).columns[by], list[Key]()
    for chunk in chunks(rows):
        values = [row[by] for row in chunk]
        found = session.execute(select(*fields_of(model).key_columns).where(column.in_(values)))
        keys += [tuple(row) for row in found]
    return keys


def _set_chunk(session: Session, query: "Writes[M]", rows: Sequence[Row], by: str, made: dict[object, Row]) -> int:
    model = query._model  # noqa: SLF001  # as above
    fields = fields_of(model)
    keys = [row.get(by) for row in rows]
    if None in keys or len(set(keys)) != len(keys):
        raise WrongValueForLookup(f"each row needs its own {by} to be found by")
    by_column = fields.columns[by]
    assignments: dict[str, object] = {}
    for name in dict.fromkeys(name for row in rows for name in row if name != by):
        column = fields.columns[name]
        cases = [(by_column == _bound(by_column, row[by]), _value(column, row[name])) for row in rows if name in row]
        # Without an else every row takes a case; with one, a row that lacks the field keeps its value.
        assignments[name] = case(*cases, else_=column)
    if not assignments:
        raise WrongValueForLookup(f"the rows hold nothing but {by}")
    if fields.version is not None and fields.version not in assignments:
        assignments[fields.version] = fields.columns[fields.version] + 1
    statement = update(model).where(by_column.in_(keys), *query.write_conditions()).values(assignments)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    found = cast("CursorResult[Any]", result)
    sent: Any = found.last_updated_params()
    moved = {
        name: sent[fields.columns[name].key]
        for name in _moved(fields)
        if name not in assignments and fields.columns[name].key in sent
    }
    made.update(dict.fromkeys(keys, moved))
    return found.rowcount


def _value(column: "Column[Any]", value: object) -> Any:  # noqa: ANN401  # a bound value or SQL
    return value if is_expression(value) else _bound(column, value)


def _bound(column: "Column[Any]", value: object) -> Any:  # noqa: ANN401  # the same
    return bindparam(None, value, type_=column.type)
