"""The bases that models are built on: keys, timestamps, Active Record and `repr`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins.base import Base
from bongsu.mixins.clock import python_now
from bongsu.mixins.crud import CRUDMixin
from bongsu.mixins.fields import INITIAL
from bongsu.mixins.keys import uuid7
from bongsu.mixins.repr import ReprMixin
from bongsu.mixins.types import UTCDateTime, UUIDKey


def _new_key(_now: datetime) -> UUID:
    return uuid7()


def _given_time(now: datetime) -> datetime:
    return now


class TimestampMixin:
    """`created_at` and `updated_at`, by this process's clock, in UTC.

    The values are Python's, not the server's, on purpose: MySQL has no RETURNING, so a server's value would cost a
    second statement for every insert (`eager_defaults=True`) or be unreadable after it. This way neither is needed.
    """

    created_at: Mapped[datetime] = mapped_column(
        UTCDateTime(), default=python_now, info={INITIAL: _given_time}, sort_order=900
    )
    updated_at: Mapped[datetime] = mapped_column(
        UTCDateTime(), default=python_now, onupdate=python_now, info={INITIAL: _given_time}, sort_order=901
    )


class UUIDKeyMixin:
    """`id`: a UUIDv7, made when the object is made, so that inserts can be batched and ids are known before."""

    id: Mapped[UUID] = mapped_column(
        UUIDKey(), primary_key=True, default=uuid7, info={INITIAL: _new_key}, sort_order=-900
    )


class IntegerKeyMixin:
    """`id`: an integer that the database counts up."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True, sort_order=-900)


class BaseModel(UUIDKeyMixin, CRUDMixin, ReprMixin, TimestampMixin, Base):
    """A model with a UUIDv7 key, timestamps, the Active Record methods and a `repr` that never loads."""

    __abstract__ = True


class IntegerBaseModel(IntegerKeyMixin, CRUDMixin, ReprMixin, TimestampMixin, Base):
    """As `BaseModel`, with an integer key."""

    __abstract__ = True
