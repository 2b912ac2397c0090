"""Sessions whose rollbacks leave objects as they were before the transaction.

SQLAlchemy expires every object at a rollback, which async code cannot load again, and leaves the objects of a session
that is closed as they were flushed: with values that no row has. `MemorySession` takes a picture of each object before
it writes it, and restores the pictures when the transaction, or a savepoint of it, is rolled back. Of objects that were
read after a write there is no picture from before: their rows are read back.

SQLAlchemy numbers the results of queries, and each object knows the number of the one that loaded it (`runid`).
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState, Session, SessionTransaction, UOWTransaction
from sqlalchemy.orm.attributes import instance_state, set_attribute, set_committed_value
from sqlalchemy.orm.base import NO_VALUE
from sqlalchemy.orm.loading import _new_runid
from sqlalchemy.util.concurrency import in_greenlet

from bongsu.mixins.engine import READING
from bongsu.mixins.errors import SessionSharedAcrossTasks
from bongsu.mixins.fields import fields_of
from bongsu.mixins.pictures import (
    Picture,
    doubt,
    expire,
    keep_assigned,
    picture_of,
    read_back,
    restore,
    restore_orphans,
)

T = TypeVar("T")

WAIT_S = 10.0
"""How long a call or a unit waits for an object that another task's session holds, and a cancelled one for a commit."""


@dataclass(slots=True)
class _Pictures:
    """What is known of the objects of a transaction or savepoint from before it."""

    transaction: SessionTransaction
    taken: WeakKeyDictionary[InstanceState[Any], Picture] = field(default_factory=WeakKeyDictionary)
    written_at: int | None = None
    """As the session's, of a savepoint."""


class MemorySession(Session):
    """A session that restores its objects at a rollback."""

    reads_back: ClassVar[bool] = True
    """Whether objects that it reads after a write may be in use after a rollback."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own
        super().__init__(*args, **options)
        self._pictures: list[_Pictures] = []
        self._rolled_back: SessionTransaction | None = None
        self.written_at: int | None = None
        """The number of queries before the first write: nothing is known of objects that later ones loaded."""
        self.has_committed = False
        self.is_committing = False
        self.is_ending = False
        """Whether it has begun to commit, or to close: then a cancelled task waits for the end."""
        self.busy_since: float | None = None
        """Since when (`time.monotonic`) a call uses the session; None between calls."""
        self.used_by: asyncio.Task[Any] | None = None
        """The task whose calls use the session."""
        self._assigned: dict[InstanceState[Any], dict[str, Any]] = {}
        """What other tasks have assigned to objects of the session since the transaction began."""
        self._meanwhile: dict[tuple[InstanceState[Any], str], Any] = {}
        """What they assign during a flush, or while rows are read again: each attribute's value before."""
        self.is_reading_again = False
        self.waits_for: MemorySession | None = None
        """The session that holds an object which a call on this one needs."""
        self._closed = asyncio.Event()

    def begin_write(self) -> None:
        """Notes that the transaction, and its innermost savepoint, write from now on."""
        if self.written_at is None:
            self.written_at = _new_runid()
        savepoint = self.get_nested_transaction()
        if savepoint is not None and self._pictures_of(savepoint).written_at is None:
            self._pictures_of(savepoint).written_at = _new_runid()

    def remember(self, instance: object) -> None:
        """Takes a picture of an object, unless this transaction has one."""
        self._remember(instance_state(instance))

    def remember_new(self, instance: object, related: Mapping[str, object]) -> None:
        """Takes the picture of an object that is being made, and refers to `related` by its columns."""
        self.remember(instance)
        picture = self._taken()[instance_state(instance)]
        picture.values.update(related)
        picture.unsaved.update(dict.fromkeys(related, NO_VALUE))

    def note_assigned(self, state: InstanceState[Any], name: str, value: object) -> None:
        """Notes that `value` is about to be assigned, where another task does that than the one that uses the session.

        SQLAlchemy takes an attribute for written that changes during a flush, and a rollback would take it back.
        """
        try:
            if in_greenlet() or self.used_by is None or self.used_by is asyncio.current_task():
                return
        except RuntimeError:  # no event loop runs, so no task does
            return
        fields = fields_of(state.class_)
        if self._flushing and name in fields.relations:  # SQLAlchemy may have looked at it, or not yet
            raise SessionSharedAcrossTasks(
                f"{state.class_.__name__}.{name} cannot be assigned while another task writes the object: use "
                f"`await .update({name}=…)`, which waits for it"
            )
        if name in fields.collections:
            return
        self._assigned.setdefault(state, {})[name] = value
        if self._flushing or self.is_reading_again:
            self._meanwhile.setdefault((state, name), state.dict.get(name))

    def assign_again(self) -> None:
        """Makes what other tasks have assigned during a flush, or a read, unsaved."""
        meanwhile, self._meanwhile = self._meanwhile, {}
        for (state, name), before in meanwhile.items():
            instance = state.obj()
            if instance is not None and state in self._assigned:
                if not self.is_reading_again:  # else the row's value is there
                    set_committed_value(instance, name, before)
                set_attribute(instance, name, self._assigned[state][name])

    def forget_overwritten(self) -> None:
        """Forgets what other tasks have assigned and the session's own has overwritten."""
        for state, values in self._assigned.items():
            self._assigned[state] = {name: value for name, value in values.items() if state.dict.get(name) == value}

    def discard_unsaved(self) -> None:
        """Takes back what was set after a write of the savepoint failed: its rollback would expire these objects."""
        failed = self.get_nested_transaction()
        if failed is not None and not self.is_active:
            self.forget_overwritten()
            for instance in self.dirty:
                self.remember(instance)
            self._restore(failed)

    def close(self) -> None:
        """Closes the session; objects lose what was not committed."""
        self.is_ending = True
        self.forget_overwritten()
        if self.written_at is None:  # there is nothing to take back from objects that were read
            self._pictures.clear()
        if self._pictures:
            for instance in self.dirty:
                self.remember(instance)
        read = self._restore(None)  # first: the session lets go of its objects, then waits for the database
        super().close()
        self.written_at, self.is_committing, self.used_by = None, False, None
        self._assigned.clear()
        self._closed.set()
        self._read_back(read)

    async def wait_closed(self, timeout_s: float) -> bool:
        """Waits until the session is closed; False after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._closed.wait()
        except TimeoutError:
            return False
        return True

    def is_waiting_for(self, other: "MemorySession") -> bool:
        """Whether the session waits for the other, or for one that does."""
        each: MemorySession | None = self
        while each is not None and each is not other:
            each = each.waits_for
        return each is other

    def _remember(self, state: InstanceState[Any]) -> None:
        taken = self._taken()
        if state not in taken:
            taken[state] = picture_of(state, is_attached=state.session is self)

    def _taken(self) -> WeakKeyDictionary[InstanceState[Any], Picture]:
        """The pictures of the innermost savepoint, else of the transaction."""
        innermost = self.get_nested_transaction() or self.get_transaction() or self.begin()
        return self._pictures_of(innermost).taken

    def _pictures_of(self, transaction: SessionTransaction) -> _Pictures:
        if not self._pictures or self._pictures[-1].transaction is not transaction:
            self._pictures.append(_Pictures(transaction))
        return self._pictures[-1]

    def _restore(self, transaction: SessionTransaction | None) -> list[InstanceState[Any]]:
        """Restores the objects of a savepoint, or of the whole transaction (None); returns those to read back."""
        restored: dict[InstanceState[Any], Picture] = {}
        marks = [self.written_at] if transaction is None else []
        while self._pictures and (transaction is None or _is_within(self._pictures[-1].transaction, transaction)):
            pictures = self._pictures.pop()
            marks.append(pictures.written_at)
            for state, picture in list(pictures.taken.items()):
                instance = state.obj()
                if instance is not None:
                    is_new_again = picture.key is None and state.key is not None
                    if (is_new_again or not picture.is_attached) and instance in self:
                        self.expunge(instance)
                    if self.is_committing:
                        doubt(state, picture)
                    keep_assigned(picture, self._assigned.get(state, {}))
                    restore(state, instance, picture, self)
                    restored[state] = picture
        for state, picture in restored.items():
            restore_orphans(state, picture)
        written_at = min((mark for mark in marks if mark is not None), default=None)
        if not self.reads_back:
            return []
        incomplete = [state for state, picture in restored.items() if picture.is_incomplete]
        if written_at is None:
            return incomplete
        states = restored.keys() | set(self.identity_map.all_states())
        read = [state for state in states if state.runid is not None and state.runid > written_at]
        return [*incomplete, *read]

    def _read_back(self, states: list[InstanceState[Any]]) -> None:
        if not states:
            return
        try:
            if self.get_transaction() is None:
                engine = cast("Engine", self.get_bind())
                with engine.execution_options(**READING).connect() as connection:
                    read_back(connection, states)
            elif self.is_active:
                read_back(self.connection(), states)
        except SQLAlchemyError:
            expire(states)

    def _keep(self) -> None:
        """Forgets the pictures of a committed transaction; those of a savepoint become the enclosing transaction's."""
        committed = self.get_nested_transaction()
        if committed is None:
            for state in [state for pictures in self._pictures for state in pictures.taken if state.was_deleted]:
                state.session_id = None  # SQLAlchemy leaves it in the session, unless that expires at a commit
            self._pictures.clear()
            self._assigned.clear()
            self.written_at, self.is_committing = None, False
            self.has_committed = True
        elif self._pictures and self._pictures[-1].transaction is committed:
            pictures = self._pictures.pop()
            outer = self._pictures_of(
                next(each for each in _enclosing(committed) if each.nested or each.parent is None)
            )
            outer.written_at = pictures.written_at if outer.written_at is None else outer.written_at
            for state, picture in pictures.taken.items():
                outer.taken.setdefault(state, picture)


class ShortSession(MemorySession):
    """The session of one call, which ends by itself."""

    reads_back = False


class OwnedSession(AsyncSession):
    """An `AsyncSession` whose commits and closes come to their end although the task is cancelled meanwhile.

    A commit that is cut off leaves in doubt what the rows hold, and a close that is cut off leaks its connection.
    """

    async def commit(self) -> None:
        """Commits; a cancellation is raised when the commit has ended."""
        await to_end(super().commit())

    async def close(self) -> None:
        """Closes the session; a cancellation is raised when that is done."""
        await to_end(super().close())


async def to_end(work: Coroutine[Any, Any, T], session: MemorySession | None = None) -> T:
    """Awaits work to its end (at most `WAIT_S` longer) although the task is cancelled, and raises that then.

    With a session, the work is cancelled too unless that has begun to commit or to close.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if session is not None and not session.is_ending:
            task.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        while not task.done() and (left_s := deadline - loop.time()) > 0:
            with suppress(asyncio.CancelledError):  # another one says the same
                await asyncio.wait({task}, timeout=left_s)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # retrieved: the cancellation is what is raised
        raise


class InUse(Exception):  # never leaves the library
    """An object that a call needs is in the session of another task."""

    def __init__(self, instance: object, session: Session) -> None:
        super().__init__()
        self.instance = instance
        self.session = session


def check_unsaved(session: Session, state: InstanceState[Any]) -> None:
    """Checks what was assigned to an object, and replaces it by what its columns store."""
    fields = fields_of(state.class_)
    fields.check_object(state.dict, state.committed_state)
    if fields.inexact:
        fields.refuse_inexact(session, [{name: state.dict.get(name) for name in state.committed_state}])


@event.listens_for(MemorySession, "before_flush")
def _before_flush(session: MemorySession, context: UOWTransaction, instances: object) -> None:
    del context, instances
    if session.written_at is None or session.get_nested_transaction() is not None:
        session.begin_write()
    taken = session._taken()  # noqa: SLF001  # this module's own
    for state in (*session._new, *session._dirty_states, *session._deleted):  # noqa: SLF001  # sets of instances are dear
        if state not in taken:
            taken[state] = picture_of(state, is_attached=True)
        check_unsaved(session, state)


@event.listens_for(MemorySession, "after_flush_postexec")
def _after_flush(session: MemorySession, context: UOWTransaction) -> None:
    del context
    if session._meanwhile:  # noqa: SLF001  # this module's own
        session.assign_again()


@event.listens_for(MemorySession, "before_commit")
def _before_commit(session: MemorySession) -> None:
    if session.get_nested_transaction() is None:
        session.is_committing = session.is_ending = True


@event.listens_for(MemorySession, "after_rollback")
def _before_expiry(session: MemorySession) -> None:
    """Takes pictures of what SQLAlchemy is about to expire."""
    nested = session.get_nested_transaction()
    session.is_committing = False
    session.forget_overwritten()
    session._rolled_back = nested or session.get_transaction()  # noqa: SLF001  # this module's own
    for state in session.identity_map.all_states():
        if nested is None or state.modified:
            session._remember(state)  # noqa: SLF001  # the same


@event.listens_for(MemorySession, "after_soft_rollback")
def _after_rollback(session: MemorySession, previous: SessionTransaction) -> None:
    del previous
    rolled_back, session._rolled_back = session._rolled_back, None  # noqa: SLF001  # the same
    if rolled_back is not None:
        session._read_back(session._restore(rolled_back if rolled_back.nested else None))  # noqa: SLF001  # the same


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
