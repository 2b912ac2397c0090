"""Sessions whose rollbacks leave objects as they were before the transaction.

SQLAlchemy expires every object at a rollback, which async code cannot load again, and leaves the objects of a session
that is closed as they were flushed: with values that no row has. `MemorySession` takes a picture of each object before
it writes it, and restores the pictures when the transaction, or a savepoint of it, is rolled back.

The attributes of `InstanceState` that are used here are private to SQLAlchemy (2.1): it offers no way to take back a
flush. Remove this module when `Session.rollback` can leave objects unexpired.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState, Session, SessionTransaction, UOWTransaction
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.base import NO_VALUE
from sqlalchemy.orm.collections import collection_adapter

from bongsu.mixins.fields import fields_of

if TYPE_CHECKING:
    from bongsu.mixins.base import Base
    from bongsu.mixins.unit import Unit

WAIT_S = 10.0
"""How long a call or a unit waits for an object that another task's session holds."""
_PENDING = "_pending_mutations"


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
    pending: dict[str, Any] | None


class MemorySession(Session):
    """A session that restores its objects at a rollback."""

    unit: "Unit | None" = None
    """The unit of work whose session this is."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own
        super().__init__(*args, **options)
        self._pictures: list[tuple[SessionTransaction, WeakKeyDictionary[InstanceState[Any], Picture]]] = []
        self._rolled_back: SessionTransaction | None = None
        self.has_written = False
        """Whether the transaction wrote: without that there is nothing to take back from objects that were read."""
        self._is_committing = False
        self._is_closed = False
        self._waiting: list[asyncio.Future[None]] = []

    def remember(self, instance: object) -> None:
        """Takes a picture of an object, unless this transaction has one."""
        self._remember(inspect(instance, raiseerr=True))

    def discard_unsaved(self) -> None:
        """Takes back what was set after a write of the savepoint failed: its rollback would expire these objects."""
        failed = self.get_nested_transaction()
        if failed is not None and not self.is_active:
            for instance in self.dirty:
                self.remember(instance)
            self._restore(failed)

    def close(self) -> None:
        """Closes the session; objects lose what was not committed."""
        if not self.has_written:
            self._pictures.clear()
        if self._pictures:
            for instance in self.dirty:
                self.remember(instance)
        self._restore(None)  # first: the session lets go of its objects, then waits for the database
        super().close()
        self.has_written = self._is_committing = False
        self._is_closed = True
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait_closed(self, timeout_s: float) -> bool:
        """Waits until the session is closed; False after `timeout_s` seconds."""
        if self._is_closed:
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return False
        return True

    def _remember(self, state: InstanceState[Any]) -> None:
        pictures = self._pictures_of(self._boundary())
        if state not in pictures:
            pictures[state] = _picture(state, is_attached=state.session is self)

    def _boundary(self) -> SessionTransaction:
        """The innermost savepoint, else the transaction."""
        return self.get_nested_transaction() or self.get_transaction() or self.begin()

    def _pictures_of(self, transaction: SessionTransaction) -> "WeakKeyDictionary[InstanceState[Any], Picture]":
        if not self._pictures or self._pictures[-1][0] is not transaction:
            self._pictures.append((transaction, WeakKeyDictionary()))
        return self._pictures[-1][1]

    def _restore(self, transaction: SessionTransaction | None) -> None:
        """Restores the objects of a savepoint, or of the whole transaction (None)."""
        while self._pictures and (transaction is None or _is_within(self._pictures[-1][0], transaction)):
            _, pictures = self._pictures.pop()
            for state, picture in list(pictures.items()):
                instance = state.obj()
                if instance is not None:
                    if not picture.is_attached and instance in self:
                        self.expunge(instance)
                    if self._is_committing:
                        _doubt(state, picture)
                    _restore(state, instance, picture, self)

    def _keep(self) -> None:
        """Forgets the pictures of a committed transaction; those of a savepoint become the enclosing transaction's."""
        committed = self.get_nested_transaction()
        if committed is None:
            self._pictures.clear()
            self.has_written = self._is_committing = False
        elif self._pictures and self._pictures[-1][0] is committed:
            _, pictures = self._pictures.pop()
            outer = next(each for each in _enclosing(committed) if each.nested or each.parent is None)
            kept = self._pictures_of(outer)
            for state, picture in pictures.items():
                kept.setdefault(state, picture)


class ShortSession(MemorySession):
    """The session of one call, which ends by itself."""


class InUse(Exception):  # never leaves the library
    """An object that a call needs is in the session of another task."""

    def __init__(self, instance: object, session: Session) -> None:
        super().__init__()
        self.instance = instance
        self.session = session


async def close_session(session: AsyncSession) -> None:
    """Closes a session even if the task is cancelled meanwhile: its connection would leak."""
    await asyncio.shield(asyncio.ensure_future(session.close()))


@event.listens_for(MemorySession, "before_flush")
def _before_flush(session: MemorySession, context: UOWTransaction, instances: object) -> None:
    del context, instances
    session.has_written = True
    for group in (session.new, session.dirty, session.deleted):
        for instance in group:
            session.remember(instance)
            state: InstanceState[Base] = inspect(instance)
            fields_of(state.class_).check_object(state.dict, state.committed_state if state.key else state.dict)


@event.listens_for(MemorySession, "before_commit")
def _before_commit(session: MemorySession) -> None:
    if session.get_nested_transaction() is None:
        session._is_committing = True  # noqa: SLF001  # this module's own


@event.listens_for(MemorySession, "after_rollback")
def _before_expiry(session: MemorySession) -> None:
    """Takes pictures of what SQLAlchemy is about to expire."""
    nested = session.get_nested_transaction()
    session._is_committing = False  # noqa: SLF001  # the same
    session._rolled_back = nested or session.get_transaction()  # noqa: SLF001  # this module's own
    for state in session.identity_map.all_states():
        if nested is None or state.modified:
            session._remember(state)  # noqa: SLF001  # the same


@event.listens_for(MemorySession, "after_soft_rollback")
def _after_rollback(session: MemorySession, previous: SessionTransaction) -> None:
    del previous
    rolled_back, session._rolled_back = session._rolled_back, None  # noqa: SLF001  # the same
    if rolled_back is not None:
        session._restore(rolled_back if rolled_back.nested else None)  # noqa: SLF001  # the same


@event.listens_for(MemorySession, "after_commit")
def _after_commit(session: MemorySession) -> None:
    session._keep()  # noqa: SLF001  # the same


def _enclosing(transaction: SessionTransaction) -> Iterator[SessionTransaction]:
    outer = transaction.parent
    while outer is not None:
        yield outer
        outer = outer.parent


def _is_within(transaction: SessionTransaction, outer: SessionTransaction) -> bool:
    return transaction is outer or outer in _enclosing(transaction)


@contextmanager
def restored_on_error(session: Session, instance: "Base") -> Iterator[None]:
    """Restores the object when the block raises."""
    state: InstanceState[Base] = inspect(instance)
    is_attached = state.session is session
    picture = _picture(state, is_attached=False)
    try:
        yield
    except Exception:
        if session.is_active and state.session in (None, session):  # else a rollback has, or another task uses it
            if not is_attached and instance in session:
                session.expunge(instance)
            _restore(state, instance, picture, session)
        raise


def _picture(state: "InstanceState[Base]", *, is_attached: bool) -> Picture:
    """The object as it is; one of the session's without what was not flushed, which the rollback takes back too."""
    values, unsaved, expired = state.dict.copy(), state.committed_state.copy(), set(state.expired_attributes)
    pending: dict[str, Any] | None = state.__dict__.get(_PENDING)
    for name in fields_of(state.class_).collections:
        if name in values:
            values[name] = list(collection_adapter(values[name]))
    if is_attached and state.key is not None:
        for name, before in unsaved.items():
            if before is NO_VALUE:  # changed in place, or not loaded: a read must not find it None
                values.pop(name, None)
                if name in state.mapper.columns:
                    expired.add(name)
            else:
                values[name] = before
        unsaved, pending = {}, None
    return Picture(
        state.key,
        state._deleted,  # noqa: SLF001  # see above
        is_attached,
        values,
        unsaved,
        expired,
        pending and dict(pending),  # see above
    )


def _doubt(state: "InstanceState[Base]", picture: Picture) -> None:
    """Notes that the row may hold what was written, as a cancelled commit may have ended: the next write is sent."""
    fields = fields_of(state.class_)
    for name, column in fields.columns.items():
        if picture.key is None or name == fields.version or column.onupdate is not None:
            continue
        if name in picture.values and name in state.dict and state.dict[name] != picture.values[name]:
            picture.unsaved.setdefault(name, state.dict[name])


def _restore(state: "InstanceState[Base]", instance: "Base", picture: Picture, session: Session) -> None:
    is_here = instance in session
    values = state.dict
    state.key, state._deleted = picture.key, picture.is_deleted  # noqa: SLF001  # see above
    if not is_here and state.session is session:
        state.session_id = None
    for name in [name for name in values if name in state.manager and name not in picture.values]:
        del values[name]
    collections = fields_of(state.class_).collections
    for name, value in picture.values.items():
        if name not in state.manager:
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
    if picture.pending:
        state.__dict__[_PENDING] = picture.pending
    state._strong_obj = None  # noqa: SLF001  # see above
    if is_here and state.modified:
        state._strong_obj = instance  # noqa: SLF001  # see above
        session.identity_map._modified.add(state)  # noqa: SLF001  # see above
    else:
        session.identity_map._modified.discard(state)  # noqa: SLF001  # see above
