"""The bases that models are built on, and the mixins for them: keys, times, actors, versions, marks, `repr`, JSON."""

import base64
import datetime as dt
import enum
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Self
from uuid import UUID

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState, Mapped, mapped_column

from bongsu.mixins.base import Base
from bongsu.mixins.clock import python_now, uuid7
from bongsu.mixins.crud import CRUDMixin
from bongsu.mixins.errors import NotLoaded
from bongsu.mixins.fields import INITIAL, fields_of
from bongsu.mixins.instances import check_saved, column_values, is_settled, own_session, state_of
from bongsu.mixins.types import AsciiKey, JsonValue, UTCDateTime, UUIDKey

_NEVER = ("password", "secret", "token", "digest")
_actor: ContextVar[str | None] = ContextVar("bongsu_actor", default=None)


@contextmanager
def acting_as(actor: object) -> Iterator[None]:
    """Records `actor` for the writes of the block (an id; its text is kept, ASCII, up to 64 characters)."""
    token = _actor.set(str(actor))
    try:
        yield
    finally:
        _actor.reset(token)


def current_actor() -> str | None:
    """The acting user, or None."""
    return _actor.get()


class TimestampMixin:
    """`created_at` and `updated_at`, by this process's clock, in UTC.

    The values are Python's, not the server's, on purpose: MySQL has no RETURNING, so a server's value would cost a
    second statement for every insert (`eager_defaults=True`) or be unreadable after it. This way neither is needed.
    """

    created_at: Mapped[datetime] = mapped_column(
        UTCDateTime(), default=python_now, info={INITIAL: lambda now: now}, sort_order=900
    )
    updated_at: Mapped[datetime] = mapped_column(
        UTCDateTime(), default=python_now, onupdate=python_now, info={INITIAL: lambda now: now}, sort_order=901
    )


class UUIDKeyMixin:
    """`id`: a UUIDv7, made when the object is made, so that inserts can be batched and ids are known before."""

    id: Mapped[UUID] = mapped_column(
        UUIDKey(), primary_key=True, default=uuid7, info={INITIAL: lambda _: uuid7()}, sort_order=-900
    )


class IntegerKeyMixin:
    """`id`: an integer that the database counts up."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True, sort_order=-900)


class ReprMixin:
    """`<User id=… email='…'>`: the key and `__repr_attrs__`; it never loads, so it never fails.

    An attribute that is not loaded shows as `<not loaded>`. `__repr_max_length__` cuts long values.
    """

    __repr_attrs__: ClassVar[tuple[str, ...] | list[str]] = ()
    __repr_max_length__: ClassVar[int] = 15

    def __repr__(self) -> str:
        state: InstanceState[object] = inspect(self, raiseerr=True)
        keys = [state.mapper.get_property_by_column(column).key for column in state.mapper.primary_key]
        shown = [*keys, *(name for name in self.__repr_attrs__ if name not in keys)]
        return f"<{type(self).__name__} {' '.join(self._shown(state, name) for name in shown)}>"

    def _shown(self, state: InstanceState[object], name: str) -> str:
        if name in state.unloaded:  # a new object has nothing to load
            return f"{name}={None if state.key is None else '<not loaded>'}"
        if any(word in name for word in _NEVER):
            return f"{name}=<hidden>"
        try:
            text = repr(state.dict[name] if name in state.dict else getattr(self, name))
        except SQLAlchemyError:  # a property that reads what is not loaded
            return f"{name}=<not loaded>"
        is_key = any(column.key == name for column in state.mapper.primary_key)
        limit = self.__repr_max_length__
        if not is_key and len(text) > limit + 2:  # the quotes are not counted
            text = f"{text[:limit]}…"
        return f"{name}={text}"


class VersionMixin:
    """`version` counts the changes of a row; writing an object that is not the newest raises `StaleVersion`.

    Bulk updates count it up too, so that objects read before them are known to be old.
    """

    __version_column__: ClassVar[str | None] = "version"

    version: Mapped[int] = mapped_column(default=1, sort_order=903)


class AuditMixin:
    """`created_by` and `updated_by`, from `with acting_as(user.id):`; bulk writes set them too."""

    created_by: Mapped[str | None] = mapped_column(
        AsciiKey(64), default=current_actor, info={INITIAL: lambda _: current_actor()}, sort_order=904
    )
    updated_by: Mapped[str | None] = mapped_column(
        AsciiKey(64),
        default=current_actor,
        onupdate=current_actor,
        info={INITIAL: lambda _: current_actor()},
        sort_order=905,
    )


class SoftDeleteMixin(CRUDMixin):
    """`class Note(SoftDeleteMixin, BaseModel)`: `delete` marks the row, and queries leave marked rows out.

    `query().with_deleted()` and `.only_deleted()` find them, `restore()` takes the mark back, `delete(hard=True)`
    really deletes. A marked row still holds its unique values: a constraint that must let them go includes a column
    that differs.
    """

    __abstract__ = True
    __soft_delete__: ClassVar[bool] = True

    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime(), default=None, index=True, sort_order=902)

    @property
    def is_deleted(self) -> bool:
        """Whether the row is marked as deleted."""
        return self.deleted_at is not None

    async def delete(
        self, session: AsyncSession | None = None, *, auto_commit: bool = False, hard: bool = False
    ) -> None:
        """Marks the row as deleted; `hard` deletes it."""
        if hard:
            await super().delete(session, auto_commit=auto_commit)
            return
        if is_settled(self, own_session(self, session)):
            if state_of(self).was_deleted:
                return
            check_saved(self)
        if self.deleted_at is None or not is_settled(self, own_session(self, session)):
            await self.update(session, auto_commit=auto_commit, deleted_at=python_now())

    async def restore(self, session: AsyncSession | None = None, *, auto_commit: bool = False) -> Self:
        """Takes the mark back."""
        if is_settled(self, own_session(self, session)):
            check_saved(self)
        await self.update(session, auto_commit=auto_commit, deleted_at=None)
        return self


class BaseModel(UUIDKeyMixin, CRUDMixin, ReprMixin, TimestampMixin, Base):
    """A model with a UUIDv7 key, timestamps, the Active Record methods and a `repr` that never loads."""

    __abstract__ = True


class IntegerBaseModel(IntegerKeyMixin, CRUDMixin, ReprMixin, TimestampMixin, Base):
    """As `BaseModel`, with an integer key."""

    __abstract__ = True


class SerializeMixin(CRUDMixin):
    """`to_json_dict` and `to_json`: what JSON can hold of an object, and of its loaded relations.

    Fields of `__hidden__` never appear. Instants are RFC 3339 in UTC with `Z`, times without a time zone the same
    without it, durations ISO 8601 (`P1DT5S`); UUIDs, decimals and enum members their text or value; bytes base64.
    """

    __abstract__ = True
    __hidden__: ClassVar[tuple[str, ...]] = ()

    def to_json_dict(
        self, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), relations: Iterable[str] = ()
    ) -> dict[str, JsonValue]:
        """The columns, and the relations named (`"posts.author"`), which must be loaded (`NotLoaded`)."""
        columns = column_values(self, only, exclude)
        document = {name: json_value(value) for name, value in columns.items() if name not in self.__hidden__}
        deeper: dict[str, list[str]] = {}
        for path in relations:
            first, _, rest = path.partition(".")
            deeper.setdefault(first, []).extend([rest] if rest else [])
        fields, loaded = fields_of(type(self)), state_of(self).dict
        fields.refuse_unknown(deeper, fields.relations)
        for name, paths in deeper.items():
            if name not in loaded:
                raise NotLoaded(f"{type(self).__name__}.{name} is not loaded: .load({name!r}) or .refresh({name!r})")
            document[name] = _related(loaded[name], paths)
        return document

    def to_json(
        self, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), relations: Iterable[str] = ()
    ) -> str:
        """`to_json_dict` as text."""
        return json.dumps(self.to_json_dict(only=only, exclude=exclude, relations=relations), ensure_ascii=False)


def _related(value: object, paths: list[str]) -> JsonValue:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): _related(item, paths) for key, item in value.items()}
    if isinstance(value, list | set | tuple):
        return [_related(item, paths) for item in value]
    if isinstance(value, SerializeMixin):
        return value.to_json_dict(relations=paths)
    raise TypeError(f"{type(value).__name__} is no SerializeMixin, so it has no JSON form")


def json_value(value: object) -> JsonValue:  # noqa: C901, PLR0911  # one return a type
    """A column's value as JSON has it."""
    match value:
        case enum.Enum():
            return json_value(value.value)
        case None | bool() | int() | float() | str():
            return value
        case uuid.UUID() | Decimal():
            return str(value)
        case dt.datetime() if value.tzinfo is None:  # of a column without a time zone
            return value.isoformat(timespec="microseconds")
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _iso_duration(value)
        case set() | frozenset():
            return sorted(json_value(item) for item in value)  # type: ignore[type-var]  # members of a SET are text
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
        case _:
            raise TypeError(f"a {type(value).__name__} has no JSON form")


def _iso_duration(value: dt.timedelta) -> str:
    size = abs(value)
    seconds = f"{size.seconds}.{size.microseconds:06}".rstrip("0").rstrip(".") if size.microseconds else size.seconds
    time = f"T{seconds}S" if seconds or not size.days else ""
    return f"{'-' * (value < dt.timedelta(0))}P{f'{size.days}D' * bool(size.days)}{time}"
