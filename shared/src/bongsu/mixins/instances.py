"""What happens to one object: how it gets into a session, takes values, and is read again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession, async_object_session
from sqlalchemy.orm import InstanceState, Session

from bongsu.mixins.base import Base
from bongsu.mixins.errors import MixinError, NotFound, NotLoaded, UnknownField
from bongsu.mixins.fields import fields_of
from bongsu.mixins.unit import check_owner
from bongsu.mixins.values import is_expression

Refresh = bool | Sequence[str]


def state_of(instance: Base) -> "InstanceState[Base]":
    """SQLAlchemy's record of an object."""
    state: InstanceState[Base] = inspect(instance)
    return state


def own_session(instance: Base, given: AsyncSession | None) -> AsyncSession | None:
    """The session that a call on an object uses: the given one, else the one that the object lives in."""
    if given is not None:
        return given
    lived_in = async_object_session(instance)
    if lived_in is not None:
        check_owner(lived_in)
    return lived_in


@contextmanager
def attached(session: Session, instance: Base) -> Iterator[None]:
    """Puts an object into the session.

    What a detached object is related to stays outside: `Session.add` would take it along, and other copies of the same
    rows would then collide.
    """
    state = state_of(instance)
    if state.session is session:
        yield
        return
    if state.was_deleted:
        raise NotFound(f"the row of {instance!r} was deleted")
    if state.key is not None and state.key in session.identity_map:
        raise MixinError(
            f"{instance!r} was loaded elsewhere, and this unit of work has loaded the same row itself: use its object"
        )
    aside: dict[str, object] = {}
    if state.key is not None:
        names = [name for name in fields_of(type(instance)).relations if name in state.dict]
        aside = {name: state.dict.pop(name) for name in names if name not in state.committed_state}
    session.add(instance)
    yield
    state.dict.update({name: value for name, value in aside.items() if name not in state.dict})


def set_values(instance: Base, values: dict[str, object]) -> list[str]:
    """Sets what differs; gives the names that did."""
    fields = fields_of(type(instance))
    for name in values:
        if name not in fields.settable:
            raise UnknownField(type(instance).__name__, name, fields.settable)
    loaded = state_of(instance).dict
    changed = [
        name for name, value in values.items() if is_expression(value) or name not in loaded or loaded[name] != value
    ]
    for name in changed:
        setattr(instance, name, values[name])
    return changed


def sql_names(instance: Base) -> list[str]:
    """The fields whose values only the database knows: those that hold SQL, or a new object's server defaults."""
    fields, state = fields_of(type(instance)), state_of(instance)
    names = [name for name, value in state.dict.items() if name in fields.columns and is_expression(value)]
    if fields.by_server and state.key is None:
        names += [name for name in fields.by_server if name not in state.dict]
    return names


def refresh_names(instance: Base, refresh: Refresh, computed: list[str]) -> Sequence[str] | None:
    """What to read back after a write: everything (empty), these names, or nothing (None)."""
    if refresh is True:
        return ()
    if refresh is False:
        return computed or None
    fields = fields_of(type(instance))
    names = [refresh] if isinstance(refresh, str) else list(refresh)
    for name in names:
        if name not in fields.columns and name not in fields.relations:
            raise UnknownField(type(instance).__name__, name, fields.readable)
    return [*names, *computed]


def read_again(session: Session, instance: Base, names: Sequence[str]) -> None:
    """Reads the row, or the named attributes, from the database."""
    try:
        session.refresh(instance, attribute_names=list(names) or None)
    except InvalidRequestError as error:
        if "Could not refresh" not in str(error):
            raise
        raise NotFound(f"the row of {instance!r} is gone") from error


def column_values(instance: Base, only: Iterable[str] | None, exclude: Iterable[str]) -> dict[str, Any]:
    """The loaded columns by name."""
    fields, loaded, left_out = fields_of(type(instance)), state_of(instance).dict, set(exclude)
    names = list(fields.columns) if only is None else list(only)
    for name in (*names, *left_out):
        if name not in fields.columns:
            raise UnknownField(type(instance).__name__, name, fields.columns)
    wanted = [name for name in names if name not in left_out]
    if state_of(instance).key is None:  # a new object has None where nothing is set
        loaded = {**fields.blank, **loaded}
    missing = [name for name in wanted if name not in loaded]
    if missing:
        raise NotLoaded(f"{', '.join(missing)} of {type(instance).__name__} is not loaded: await .refresh() first")
    return {name: loaded[name] for name in wanted}
