"""The rows of a bulk write: their columns' values, checked and complete."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from bongsu.mixins.base import Base
from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.fields import Fields, Initial
from bongsu.mixins.instances import reference, state_of

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

    def finish(self, fields: Fields) -> None:
        """Checks the given values, and names all by their columns."""
        for name in self.given:
            values, bounds = [row[name] for row in self.rows], fields.bounds[name]
            if bounds is None or not bounds.fit_all(values):
                for row in self.rows:
                    row[name] = fields.checked(name, row[name])
        renamed = {name: fields.columns[name].key for name in self.rows[0]}
        if any(name != key for name, key in renamed.items()):
            self.rows[:] = [{renamed[name]: value for name, value in row.items()} for row in self.rows]


def grouped(fields: Fields, rows: Iterable["Mapping[str, object] | M"], now: datetime) -> dict[tuple[str, ...], Group]:
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
        group.finish(fields)
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


def chunks(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    widest = max((len(row) for row in rows), default=1)
    size = max(1, _MAX_PARAMETERS // (2 * widest))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
