"""The rows of a bulk write: their columns' values, checked and complete."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from bongsu.mixins.base import Base
from bongsu.mixins.errors import UnknownField, WrongValueForLookup
from bongsu.mixins.fields import Fields, Initial
from bongsu.mixins.instances import reference, state_of
from bongsu.mixins.values import Coerce, Refused

M = TypeVar("M", bound=Base)
Row = dict[str, object]

_MAX_PARAMETERS = 30_000  # SQLite takes 32,766 a statement


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with the same fields, and which of them are objects'."""

    rows: list[Row]
    objects: list[tuple[int, Base]]


def grouped(fields: Fields, rows: Iterable["Mapping[str, object] | M"], now: datetime) -> dict[tuple[str, ...], Group]:
    """The rows by the fields they have, each complete, and under its columns' names."""
    groups: dict[tuple[str, ...], Group] = {}
    known: dict[tuple[str, ...], tuple[_Shape, Group]] = {}
    for row in rows:
        given = _insertable(fields, row) if isinstance(row, Base) else row
        names = tuple(given)
        found = known.get(names)
        if found is None:
            shape = _shape_of(fields, names)
            found = known[names] = (shape, groups.setdefault(shape.columns, Group([], [])))
        shape, group = found
        complete = {**given}
        for name, check in shape.checks:
            value = complete[name]
            if value is not None:
                try:
                    stored = check(value)
                except Refused:
                    stored = fields.checked(name, value)  # SQL, or the error
                if stored is not value:
                    complete[name] = stored
        for name, make in shape.missing:
            complete[name] = make(now)
        if shape.renamed:
            complete = {shape.renamed.get(name, name): value for name, value in complete.items()}
        if given is not row:
            group.objects.append((len(group.rows), cast("Base", row)))
        group.rows.append(complete)
    return groups


@dataclass(frozen=True, slots=True)
class _Shape:
    """For rows with the same fields: the values to add, and the names of their columns."""

    checks: tuple[tuple[str, Coerce], ...]
    missing: tuple[tuple[str, Initial], ...]
    renamed: dict[str, str]
    columns: tuple[str, ...]


def _shape_of(fields: Fields, names: tuple[str, ...]) -> _Shape:
    for name in names:
        if name not in fields.columns:
            raise UnknownField(fields.model.__name__, name, fields.columns)
    missing = tuple((name, make) for name, make in fields.initial if name not in names)
    if fields.identity is not None and fields.identity[0] not in names:
        name, identity = fields.identity
        missing = (*missing, (name, lambda _now: identity))
    every = (*names, *(name for name, _ in missing))
    renamed = {name: fields.columns[name].key for name in every if fields.columns[name].key != name}
    checks = tuple((name, fields.checks[name]) for name in names)
    return _Shape(checks, missing, renamed, tuple(sorted(fields.columns[name].key for name in every)))


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


def chunks(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    widest = max((len(row) for row in rows), default=1)
    size = max(1, _MAX_PARAMETERS // (2 * widest))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
