"""The objects that a session has loaded, kept true to rows that are written or read behind their backs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, inspect, select, tuple_
from sqlalchemy.orm import RelationshipProperty, Session

from bongsu.mixins.base import Base
from bongsu.mixins.fields import fields_of
from bongsu.mixins.instances import state_of

M = TypeVar("M", bound=Base)

_AT_ONCE = 1000  # keys a statement


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


def refresh_loaded(session: Session, model: type[M]) -> None:
    """Reads the loaded objects of a model again: a bulk write has changed their rows behind their backs."""
    for condition in keys_among(model, [_key(instance) for instance in loaded_objects(session, model)]):
        read_anew(session, model, select(model).where(condition))


def forget_deleted(session: Session, model: type[M]) -> None:
    """Takes the loaded objects whose rows are gone out of the session."""
    gone = {_key(instance): instance for instance in loaded_objects(session, model)}
    for condition in keys_among(model, list(gone)):
        for row in session.execute(select(*model.__mapper__.primary_key).where(condition)):
            del gone[tuple(row)]
    for instance in gone.values():
        session.expunge(instance)


def key_of(model: type[Base]) -> Any:  # noqa: ANN401  # a column or a tuple of columns
    """The primary key as SQL."""
    columns = model.__mapper__.primary_key
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def keys_among(model: type[Base], keys: Sequence[tuple[object, ...]]) -> Iterator[ColumnElement[bool]]:
    """Conditions for the rows with these keys, each for as many as one statement should take."""
    is_single = len(model.__mapper__.primary_key) == 1
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        yield key_of(model).in_([key[0] for key in part] if is_single else part)


def _key(instance: Base) -> tuple[object, ...]:
    return tuple(instance.__mapper__.primary_key_from_instance(instance))


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
