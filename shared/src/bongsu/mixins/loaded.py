"""The objects that a session has loaded, kept true to rows that are written or read behind their backs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state

from bongsu.mixins.base import Base
from bongsu.mixins.fields import Key, fields_of, keys_among, select_rows
from bongsu.mixins.memory import MemorySession, ShortSession

M = TypeVar("M", bound=Base)

_MANY = 100


def loaded_objects(session: Session, model: type[M], keys: Iterable[Key] | None = None) -> list[M]:
    """The objects of a model that a session holds: those with the keys, or all."""
    if keys is None:
        return [
            instance
            for instance in session.identity_map.values()
            if isinstance(instance, model) and not instance_state(instance).deleted
        ]
    identity = model.__mapper__.identity_key_from_primary_key
    found = [session.identity_map.get(identity(key)) for key in keys]
    return [instance for instance in found if isinstance(instance, model)]


def are_many_loaded(session: Session, model: type[Base]) -> bool:
    """Whether asking which loaded objects a write is about is cheaper than reading all of them again."""
    identified_by = model.__mapper__.identity_key_from_primary_key(())[0]
    # A copy, as the garbage collector may take objects out meanwhile.
    known = (key for key in list(session.identity_map.keys()) if key[0] is identified_by)
    return next(islice(known, _MANY, None), None) is not None


def read_again(session: Session, instances: Iterable[Base], statement: Select[M]) -> Sequence[M]:
    """The rows. Objects that are loaded (`instances`) write what they have unsaved, and take their rows' values.

    In the session of one call they write nothing: what they have unsaved is replaced.
    """
    is_short = isinstance(session, ShortSession)
    if not is_short:
        session.flush()
    with session.no_autoflush if is_short else nullcontext(), _relations_kept(session, instances):
        if not isinstance(session, MemorySession):
            return session.scalars(statement, execution_options={"populate_existing": True}).unique().all()
        session.is_reading_again = True
        try:
            rows = session.scalars(statement, execution_options={"populate_existing": True}).unique().all()
            session.assign_again()
        finally:
            session.is_reading_again = False
        return rows


def refresh_loaded(session: Session, model: type[M], keys: Iterable[Key] | None = None) -> None:
    """Reads loaded objects again, those with the keys or all: a bulk write has changed rows behind their backs.

    Those whose rows are gone leave the session.
    """
    instances = loaded_objects(session, model, keys)
    gone = {_key(instance): instance for instance in instances}
    for condition in keys_among(model, list(gone)):
        for found in read_again(session, instances, select_rows(model).where(condition)):
            gone.pop(_key(found), None)
    for instance in gone.values():
        session.expunge(instance)


def _key(instance: Base) -> Key:
    return tuple(instance.__mapper__.primary_key_from_instance(instance))


@contextmanager
def _relations_kept(session: Session, instances: Iterable[Base]) -> Iterator[None]:
    """Keeps the relations of objects whose rows are read again, which would unload them.

    A relation whose foreign key has changed is let go: it would show what was related before.
    """
    kept: list[tuple[dict[str, object], str, object, list[str], list[object]]] = []
    for instance in instances:
        if isinstance(session, MemorySession):
            session.remember(instance)
        values = instance_state(instance).dict
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
