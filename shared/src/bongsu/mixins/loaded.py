"""The objects that a session has loaded, kept true to rows that are written or read behind their backs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Select, inspect
from sqlalchemy.orm import RelationshipProperty, Session

from bongsu.mixins.base import Base
from bongsu.mixins.fields import fields_of
from bongsu.mixins.instances import state_of

M = TypeVar("M", bound=Base)


def loaded_objects(session: Session, model: type[M]) -> list[M]:
    """The objects of a model that a session holds."""
    return [
        instance
        for instance in session.identity_map.values()
        if isinstance(instance, model) and not inspect(instance).deleted
    ]


def read_anew(session: Session, model: type[M], statement: Select[M]) -> Sequence[M]:
    """The rows, with objects that are loaded already brought up to date. What they have unsaved is written first."""
    session.flush()
    with _relations_kept(loaded_objects(session, model)):
        rows = session.scalars(statement, execution_options={"populate_existing": True})
        return rows.unique().all()


@contextmanager
def _relations_kept(instances: Iterable[Base]) -> Iterator[None]:
    """Keeps the relations of objects whose rows are read anew, which would unload them.

    A relation whose foreign key has changed is let go: it would show what was related before.
    """
    kept: list[tuple[dict[str, object], str, object, list[str], list[object]]] = []
    for instance in instances:
        values = state_of(instance).dict
        for name, relation in fields_of(type(instance)).relations.items():
            if name in values:
                columns = _local_names(relation)
                kept.append((values, name, values.pop(name), columns, [values.get(column) for column in columns]))
    try:
        yield
    finally:
        for values, name, related, columns, before in kept:
            if name not in values and [values.get(column) for column in columns] == before:
                values[name] = related


def _local_names(relation: "RelationshipProperty[object]") -> list[str]:
    return [relation.parent.get_property_by_column(column).key for column in relation.local_columns]
