"""The actors that created a row and changed it last."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins.fields import INITIAL
from bongsu.mixins.types import AsciiKey

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


def _initial_actor(_now: datetime) -> str | None:
    return _actor.get()


class AuditMixin:
    """`created_by` and `updated_by`, from `with acting_as(user.id):`; bulk writes set them too."""

    created_by: Mapped[str | None] = mapped_column(
        AsciiKey(64), default=current_actor, info={INITIAL: _initial_actor}, sort_order=904
    )
    updated_by: Mapped[str | None] = mapped_column(
        AsciiKey(64),
        default=current_actor,
        onupdate=current_actor,
        info={INITIAL: _initial_actor},
        sort_order=905,
    )
