"""Objects as they were: a picture of each, to restore it from, and its row read back where none was taken.

The attributes of `InstanceState` that are used here are private to SQLAlchemy (2.1): it offers no way to take back a
flush. Remove this module when `Session.rollback` can leave objects unexpired.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.ext.mutable import Mutable
from sqlalchemy.orm import InstanceState, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.base import NO_VALUE, LoaderCallableStatus
from sqlalchemy.orm.collections import collection_adapter

from bongsu.mixins.fields import Fields, fields_of, keys_among

_PENDING = "_pending_mutations"
_PARENTS = "parents"  # whose child it is, or False, by the relation: an orphan is deleted where that cascades


@dataclass(slots=True)
class Picture:
    """An object as it was."""

    key: Any
    is_deleted: bool
    is_attached: bool
    values: dict[str, Any]
    unsaved: dict[str, Any]
    """The attributes that had been changed and not written, each with its value in the row."""
    expired: set[str]
    is_incomplete: bool
    """Whether a document was changed in place before: only its row holds what it was."""
    pending: dict[str, Any] | None
    parents: dict[Any, Any]
    runid: int | None


@contextmanager
def restored_on_error(session: Session, instance: object) -> Iterator[None]:
    """Restores the object when the block raises."""
    state = instance_state(instance)
    is_attached = state.session is session
    picture = picture_of(state, is_attached=False)
    try:
        yield
    except Exception:
        if session.is_active and state.session in (None, session):  # else a rollback has, or another task uses it
            if not is_attached and instance in session:
                session.expunge(instance)
            restore(state, instance, picture, session)
        raise


def picture_of(state: InstanceState[Any], *, is_attached: bool) -> Picture:
    """The object as it is; one of the session's without what was not flushed, which the rollback takes back too."""
    values, unsaved, expired = state.dict.copy(), state.committed_state.copy(), set(state.expired_attributes)
    pending: dict[str, Any] | None = state.__dict__.get(_PENDING)
    parents: dict[Any, Any] = state.__dict__.get(_PARENTS, {})
    fields, is_incomplete = fields_of(state.class_), False
    for name in fields.collections:
        if name in values:
            values[name] = list(collection_adapter(values[name]))
    if is_attached and state.key is not None:
        for name, before in unsaved.items():
            if isinstance(
                before, LoaderCallableStatus
            ):  # changed in place, or not loaded: a read must not find it None
                values.pop(name, None)
                if name in state.mapper.columns:
                    expired.add(name)
                    is_incomplete |= name in fields.documents
            else:
                values[name] = before
        unsaved, pending = {}, None
        parents = {relation: parent for relation, parent in parents.items() if parent is not False}
    for name in fields.documents:
        if isinstance(value := values.get(name), Mutable):
            values[name] = _copied(value)
    return Picture(
        state.key,
        state._deleted,  # noqa: SLF001  # see above
        is_attached,
        values,
        unsaved,
        expired,
        is_incomplete,
        pending and dict(pending),
        dict(parents),
        state.runid,
    )


def _copied(document: Mutable) -> Mutable:
    copied = deepcopy(document)
    copied._parents.update(document._parents)  # noqa: SLF001  # the objects that it tells of changes
    return copied


def doubt(state: InstanceState[Any], picture: Picture) -> None:
    """Notes that the row may hold what was written, as a cancelled commit may have ended: the next write is sent."""
    fields = fields_of(state.class_)
    for name, column in fields.columns.items():
        if picture.key is None or name == fields.version or column.onupdate is not None:
            continue
        if name in picture.values and name in state.dict and state.dict[name] != picture.values[name]:
            picture.unsaved.setdefault(name, state.dict[name])


def keep_assigned(picture: Picture, assigned: dict[str, Any]) -> None:
    """Leaves unsaved what other tasks have assigned."""
    for name, value in assigned.items():
        before = picture.values.get(name, NO_VALUE)
        if before is not value:
            picture.unsaved.setdefault(name, before)
            picture.values[name] = value
            picture.expired.discard(name)


def restore(state: InstanceState[Any], instance: object, picture: Picture, session: Session) -> None:
    is_here = instance in session
    values = state.dict
    state.key, state._deleted, state.runid = picture.key, picture.is_deleted, picture.runid  # noqa: SLF001  # see above
    if not is_here and state.session is session:
        state.session_id = None
    for name in [name for name in values if name in state.manager and name not in picture.values]:
        del values[name]
    fields = fields_of(state.class_)
    collections = fields.collections
    for name, value in picture.values.items():
        if name not in state.manager or (name in fields.documents and values.get(name, NO_VALUE) == value):
            continue
        if name not in collections or value is None:
            values[name] = value
        elif name not in values or list(collection_adapter(values[name])) != value:
            set_committed_value(instance, name, value)
    state.committed_state.clear()
    state.committed_state.update(picture.unsaved)
    state.expired, state.modified = False, bool(picture.unsaved)
    state.expired_attributes.clear()
    state.expired_attributes.update(picture.expired)
    state.__dict__.pop(_PENDING, None)
    state.__dict__.pop(_PARENTS, None)
    if picture.pending:
        state.__dict__[_PENDING] = picture.pending
    if picture.parents:
        state.__dict__[_PARENTS] = picture.parents
    state._strong_obj = None  # noqa: SLF001  # see above
    if is_here and state.modified:
        state._strong_obj = instance  # noqa: SLF001  # see above
        session.identity_map._modified.add(state)  # noqa: SLF001  # see above
    else:
        session.identity_map._modified.discard(state)  # noqa: SLF001  # see above


def restore_orphans(state: InstanceState[Any], picture: Picture) -> None:
    """Makes those orphans again whose removal was not saved; after all objects are restored."""
    for name in fields_of(state.class_).relations.keys() & picture.unsaved.keys():
        before, now = _members(picture.unsaved[name]), _members(picture.values.get(name))
        for child in before if state.manager[name].impl.trackparent else ():
            if child not in now:
                state.manager[name].impl.sethasparent(instance_state(child), state, False)


def _members(related: object) -> list[Any]:
    members = related if isinstance(related, list) else [related]
    return [each for each in members if each is not None and not isinstance(each, LoaderCallableStatus)]


def read_back(connection: Connection, states: Iterable[InstanceState[Any]]) -> None:
    """Gives objects the values of their rows; one that has no row is new again."""
    by_model: dict[type, dict[tuple[object, ...], InstanceState[Any]]] = {}
    for state in states:
        if state.key is not None:
            by_model.setdefault(state.class_, {})[tuple(state.key[1])] = state
    for model, by_key in by_model.items():
        fields = fields_of(model)
        names = [name for name in fields.columns if any(_is_wanted(state, fields, name) for state in by_key.values())]
        columns = [*fields.key_columns, *(getattr(model, name) for name in names)]
        width = len(fields.primary_key)
        for condition in keys_among(model, list(by_key)):
            for row in connection.execute(select(*columns).where(condition)):
                _take(by_key.pop(tuple(row[:width])), fields, dict(zip(names, row[width:], strict=True)))
        for state in by_key.values():
            if state.session is not None:
                state.session.expunge(state.obj())
            # The map of a session that ended: when the object is freed, SQLAlchemy would look there for its key.
            state.__dict__.pop("_instance_dict", None)
            state.key = None


def _is_wanted(state: InstanceState[Any], fields: Fields, name: str) -> bool:
    return name in state.dict or (name in fields.documents and name in state.expired_attributes)


def _take(state: InstanceState[Any], fields: Fields, row: dict[str, object]) -> None:
    """Takes the row's values under what is unsaved. Relations that the transaction may have changed are let go."""
    loaded, unsaved = state.dict, state.committed_state
    before = {name: loaded.get(name) for name in row}
    taken = {name: row[name] for name in row if name not in unsaved and _is_wanted(state, fields, name)}
    loaded.update(taken)
    state.expired_attributes.difference_update(taken)
    if not fields.documents.isdisjoint(taken):  # what watches documents that are changed in place listens to it
        state.manager.dispatch.refresh(state, None, list(taken))
    unsaved.update({name: value for name, value in row.items() if name in unsaved})
    for name, relation in fields.relations.items():
        keys = [relation.parent.get_property_by_column(column).key for column in relation.local_columns]
        is_kept = name not in fields.collections and all(row.get(key) == before.get(key) for key in keys)
        if not is_kept and name not in unsaved:
            loaded.pop(name, None)


def expire(states: Iterable[InstanceState[Any]]) -> None:
    """Lets go of the columns of objects that could not be read back: an error is better than a value of no row."""
    for state in states:
        for name in fields_of(state.class_).columns:
            if state.key is not None and state.dict.pop(name, None) is not None:
                state.expired_attributes.add(name)
