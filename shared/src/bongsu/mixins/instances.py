"""Objects: attaching one to a session, setting its values, reading rows again.

Objects that a session has loaded are kept true to rows that are written or read behind their backs.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, TypeVar, cast

from sqlalchemy import Select, inspect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession, async_session
from sqlalchemy.orm import InstanceState, RelationshipDirection, RelationshipProperty, Session, object_session
from sqlalchemy.orm.attributes import instance_state, set_attribute, set_committed_value
from sqlalchemy.orm.collections import collection_adapter

from bongsu.mixins.base import Base
from bongsu.mixins.errors import MixinError, NotFound, NotLoaded
from bongsu.mixins.fields import Key, fields_of, keys_among, select_rows
from bongsu.mixins.memory import InUse, MemorySession, ShortSession
from bongsu.mixins.pictures import restored_on_error
from bongsu.mixins.unit import unit_of
from bongsu.mixins.values import is_expression

M = TypeVar("M", bound=Base)
Refresh = bool | Sequence[str]

_MANY = 100  # objects, all of which are read again after any write


def state_of(instance: Base) -> "InstanceState[Base]":
    """SQLAlchemy's record of an object."""
    return instance_state(instance)


def own_session(instance: Base, given: AsyncSession | None) -> AsyncSession | None:
    """The session that a call on an object uses: the given one, else the one that the object is in.

    None where that is the session of another call or of another task's unit: those are waited for.
    """
    if given is not None:
        return given
    session = object_session(instance)
    if session is None or isinstance(session, ShortSession):
        return None
    unit = unit_of(session)
    if unit is not None and unit.task is not asyncio.current_task():
        return None
    return async_session(session)


def is_settled(instance: Base, used: AsyncSession | Session | None) -> bool:
    """Whether the object is as its row is, or as the session has it: not as another task may still take it back."""
    held_by = object_session(instance)
    return held_by is None or held_by is (used.sync_session if isinstance(used, AsyncSession) else used)


def insert_new(session: Session, instance: Base) -> None:
    """Inserts an object that refers to no other, and that nothing else knows yet."""
    session.add(instance)
    try:
        session.flush()
    except Exception:
        if session.is_active and instance in session:  # else a rollback has taken it out
            session.expunge(instance)
        raise


@contextmanager
def attached(
    session: Session,
    instance: Base,
    values: Mapping[str, object] | None = None,
    *,
    is_creation: bool = False,
    is_deletion: bool = False,
) -> Iterator[None]:
    """Puts an object into the session, and sets values on it that the session takes back at a rollback.

    Those of a new object (`is_creation`) it keeps: they are what it was made of, and `save` writes them again.

    The objects that it refers to stay outside, as their keys are all that a row of it needs: `Session.add` would take
    them along, other copies of the same rows would then collide, and no two tasks could refer to one object.
    """
    state, aside = state_of(instance), dict[str, object]()
    connect(session, instance)
    check_settable(instance, values or {})
    unloaded = {
        name: value
        for name, value in (values or {}).items()
        if state.key is not None and name in fields_of(state.class_).collections and name not in state.dict
    }
    values = {name: value for name, value in (values or {}).items() if name not in unloaded}
    for related in unloaded.values():
        _refuse_related(session, _states_of(related))
    if state.session is not session:
        _check_attachable(session, state)
    elif state.was_deleted:
        raise NotFound(f"the row of {instance!r} was deleted")
    if isinstance(session, MemorySession) and not is_creation and (values or state.session is not session):
        session.remember(instance)
    with _references_resolved(session, state, values) as resolved:
        if is_creation and isinstance(session, MemorySession):
            session.remember_new(instance, resolved)
        if state.session is not session:
            relations = [name for name in fields_of(type(instance)).relations if name in state.dict]
            if state.key is not None:
                aside = {name: state.dict.pop(name) for name in relations if name not in state.committed_state}
            if relations:
                _refuse_related(
                    session, [each for _, _, each, _ in state.mapper.cascade_iterator("save-update", state)]
                )
            session.add(instance)
            if not is_deletion:  # which looks at related rows; other tasks may read these relations meanwhile
                state.dict.update(aside)
        with session.no_autoflush:  # a collection that was not loaded is loaded, to know what leaves it
            set_values(instance, unloaded)
        yield
    state.dict.update({name: value for name, value in aside.items() if name not in state.dict})


def connect(session: Session, instance: Base) -> None:
    """Waits for the session's connection now, while other tasks can still use the object.

    On SQLite it is the lock of the only writer, so that no task waits for it and holds an object meanwhile.
    """
    refuse_in_use(session, [state_of(instance)])
    if isinstance(session, MemorySession):
        session.connection()


def _check_attachable(session: Session, state: "InstanceState[Base]") -> None:
    _refuse_related(session, [state])
    if state.key is not None and state.key in session.identity_map:
        raise MixinError(
            f"{state.obj()!r} was loaded elsewhere, and this session has loaded the same row itself: use its object"
        )


@contextmanager
def _references_resolved(
    session: Session, state: "InstanceState[Base]", values: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """Sets values, and of relations to one object their columns, where that object has a row and is in no session.

    Gives the relations that it leaves out meanwhile.
    """
    instance = cast("Base", state.obj())
    fields, loaded, resolved = fields_of(state.class_), state.dict, dict[str, object]()
    related = {name: value for name, value in values.items() if name in fields.relations}
    for name in related.keys() & fields.collections:
        _refuse_related(session, _states_of(related[name]))
    unsaved = {name: loaded[name] for name in fields.relations if name in state.committed_state and name in loaded}
    for name, target in (unsaved | related).items():
        columns = reference(fields.relations[name], target, session)
        if columns is None:
            continue
        for column, value in columns.items():
            set_attribute(instance, column, value)
        loaded.pop(name, None)
        state.committed_state.pop(name, None)
        resolved[name] = target
    set_values(instance, {name: value for name, value in values.items() if name not in resolved})
    yield resolved
    loaded.update(resolved)
    for name in unsaved.keys() & resolved.keys():
        if resolved[name] is not None:
            _settle(fields.relations[name], instance_state(cast("Base", resolved[name])), instance)


def reference(
    relation: "RelationshipProperty[Any]", target: object, session: Session | None
) -> dict[str, object] | None:
    """The columns that make a row refer to `target`, None where the unit of work of SQLAlchemy has to find them."""
    if relation.direction is not RelationshipDirection.MANYTOONE or relation.secondary is not None or relation.viewonly:
        return None
    if target is None:
        return {
            relation.parent.get_property_by_column(local).key: None for local, _ in relation.local_remote_pairs or ()
        }
    state: InstanceState[Base] = inspect(target)
    if session is not None and state.session is session and state.was_deleted:
        raise NotFound(f"the row of {target!r} was deleted")
    if state.key is None or (session is not None and state.session is session):
        return None
    columns: dict[str, object] = {}
    for local, remote in relation.local_remote_pairs or ():
        name = state.mapper.get_property_by_column(remote).key
        if name not in state.dict:
            return None
        columns[relation.parent.get_property_by_column(local).key] = state.dict[name]
    return columns


def settle_references(instance: Base) -> None:
    """Takes an object that was written out of what the objects that it refers to have not saved."""
    fields, loaded = fields_of(type(instance)), state_of(instance).dict
    for name in fields.relations.keys() - fields.collections:
        if loaded.get(name) is not None:
            _settle(fields.relations[name], instance_state(loaded[name]), instance)


def _settle(relation: "RelationshipProperty[Any]", target: "InstanceState[Base]", instance: object) -> None:
    """Takes a written object out of what its target has not saved: `Post(author=user)` is an unsaved post of `user`."""
    for reverse in relation._reverse_property:  # noqa: SLF001  # SQLAlchemy has no other name for it
        before = target.committed_state.get(reverse.key)
        if isinstance(before, list):
            before.append(instance)
        pending = target.__dict__.get("_pending_mutations", {}).get(reverse.key)
        if pending is not None:
            pending.added_items.discard(instance)
            if not pending.added_items and not pending.deleted_items:
                del target.__dict__["_pending_mutations"][reverse.key]
                target.committed_state.pop(reverse.key, None)
    if target.session is None and not target.committed_state:
        target.modified = False


def _states_of(related: object) -> "list[InstanceState[Any]]":
    """The members of a collection: a list, a set, or a dict by some attribute of them."""
    members = related.values() if isinstance(related, Mapping) else cast("Iterable[Base]", related)
    return [inspect(each) for each in members]


def _refuse_related(session: Session, states: "Iterable[InstanceState[Any]]") -> None:
    """Refuses objects that cannot be written along: those of other sessions, and those whose rows were deleted."""
    for state in states:
        refuse_in_use(session, [state])
        if state.was_deleted:
            raise NotFound(f"the row of {state.obj()!r} was deleted")


def refuse_in_use(session: Session, states: "Iterable[InstanceState[Any]]") -> None:
    """Raises `InUse` where an object that is to be written is in another session."""
    for state in states:
        other = state.session
        if other is not None and other is not session:
            raise InUse(state.obj(), other)


def check_settable(instance: Base, names: Iterable[str]) -> None:
    """`UnknownField` for a name that cannot be set."""
    fields = fields_of(type(instance))
    fields.refuse_unknown(names, fields.settable)


def differing(instance: Base, values: Mapping[str, object]) -> list[str]:
    """The names whose values differ from the object's."""
    loaded = state_of(instance).dict
    return [
        name
        for name, value in values.items()
        if is_expression(value) or (loaded[name] != value if name in loaded else _differs(instance, name, value))
    ]


def _differs(instance: Base, name: str, value: object) -> bool:
    """Whether a field that is not loaded, or one of another name (a synonym, a hybrid), has another value."""
    fields = fields_of(type(instance))
    if name in fields.columns or name in fields.relations:
        return True
    try:
        return bool(getattr(instance, name) != value)
    except Exception:  # noqa: BLE001  # a hybrid is code of one's own, and what it reads may not be loaded
        return True


def set_values(instance: Base, values: Mapping[str, object]) -> list[str]:
    """Sets the values that differ; returns their names."""
    check_settable(instance, values)
    changed = differing(instance, values)
    for name in changed:
        setattr(instance, name, values[name])
    return changed


def has_unsaved(instance: Base, names: Iterable[str]) -> bool:
    """Whether one of the attributes was changed and is not written yet."""
    unsaved, fields = state_of(instance).committed_state, fields_of(type(instance))
    # Which fields another name is about only its own code knows.
    return bool(unsaved) and any(
        name in unsaved or not (name in fields.columns or name in fields.relations) for name in names
    )


def unknown_names(instance: Base) -> list[str]:
    """The columns whose values only the database knows after a write: SQL, its own defaults, computed columns."""
    unknown = state_of(instance).expired_attributes
    return [name for name in unknown if name in fields_of(type(instance)).columns] if unknown else []


def read_unknown(session: Session, instance: Base) -> None:
    """Reads what only the database knows after a write."""
    names = unknown_names(instance)
    if names:
        refresh_object(session, instance, names)


def check_saved(instance: Base) -> None:
    """`NotFound` for an object that is new, or whose row was deleted."""
    if state_of(instance).was_deleted:
        raise NotFound(f"the row of {instance!r} was deleted")
    if state_of(instance).key is None:
        raise NotFound(f"{instance!r} is new and has no row yet: save() it first")


def refresh_names(instance: Base, refresh: Refresh, computed: list[str]) -> Sequence[str] | None:
    """The names to read back after a write: all (empty), some, or none (None)."""
    if refresh is True:
        return ()
    if not refresh:
        return computed or None
    fields = fields_of(type(instance))
    names = [refresh] if isinstance(refresh, str) else list(refresh)
    fields.refuse_unknown(names, fields.columns | fields.relations)
    return [*names, *computed]


def refresh_object(session: Session, instance: Base, names: Sequence[str]) -> None:
    """Reads the row again, or loads the named attributes."""
    state = state_of(instance)
    if not names and state.key is not None:
        model: type[Base] = state.class_
        condition = next(keys_among(model, [state.key[1]]))
        if not read_again(session, [instance], select_rows(model).where(condition)):
            raise NotFound(f"the row of {instance!r} is gone")
        return
    # The session of a call that only reads must not write what the object has unsaved.
    flushing = session.no_autoflush if isinstance(session, ShortSession) else nullcontext()
    try:
        if isinstance(session, MemorySession):
            session.remember(instance)
        with restored_on_error(session, instance), flushing:
            session.refresh(instance, attribute_names=list(names) or None)
            _leave_out_deleted(instance, names)
    except InvalidRequestError as error:
        if "Could not refresh" not in str(error):
            raise
        raise NotFound(f"the row of {instance!r} is gone") from error


def _leave_out_deleted(instance: Base, names: Iterable[str]) -> None:
    """Related rows that are marked as deleted are left out, as `load` does."""
    fields, loaded = fields_of(type(instance)), state_of(instance).dict
    for name in names:
        relation = fields.relations.get(name)
        deleted_at = None if relation is None else fields_of(relation.mapper.class_).deleted_at
        if deleted_at is None:
            continue
        related: Any = loaded[name]
        if name in fields.collections:
            members = list(collection_adapter(related))
            set_committed_value(instance, name, [each for each in members if getattr(each, deleted_at) is None])
        elif related is not None and getattr(related, deleted_at) is not None:
            set_committed_value(instance, name, None)


def column_values(instance: Base, only: Iterable[str] | None, exclude: Iterable[str]) -> dict[str, Any]:
    """The loaded columns by name."""
    fields, loaded, left_out = fields_of(type(instance)), state_of(instance).dict, set(exclude)
    names = list(fields.columns) if only is None else list(only)
    fields.refuse_unknown([*names, *left_out])
    wanted = [name for name in names if name not in left_out]
    if state_of(instance).key is None:  # a new object has None where nothing is set
        loaded = {**fields.blank, **loaded}
    missing = [name for name in wanted if name not in loaded]
    if missing:
        raise NotLoaded(f"{', '.join(missing)} of {type(instance).__name__} is not loaded: await .refresh() first")
    return {name: loaded[name] for name in wanted}


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
