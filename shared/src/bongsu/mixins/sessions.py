"""Which session a call uses: the one it is given, else its task's unit of work, else a short one of its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bongsu.mixins.failures import translating
from bongsu.mixins.unit import ambient_unit, is_in_unit

if TYPE_CHECKING:
    from bongsu.mixins.base import Base

T = TypeVar("T")


async def read(model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T]) -> T:
    """Runs `work`, which only reads."""
    return await _run(model, session, work, write=False, commit=False)


async def write(
    model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T], *, commit: bool = False
) -> T:
    """Runs `work`, which writes. A session of the call's own is committed; a given one only if `commit` says so."""
    return await _run(model, session, work, write=True, commit=commit)


async def _run(
    model: "type[Base]", session: AsyncSession | None, work: Callable[[Session], T], *, write: bool, commit: bool
) -> T:
    if session is None:
        database = model.database()
        unit = ambient_unit(database)
        if unit is None:
            with translating(model.metadata, None):
                return await database.alone(work, write=write)
        session = unit.session
    with translating(model.metadata, session):
        result = await session.run_sync(work)
        if commit and not is_in_unit(session):  # a unit commits once, at its end
            await session.commit()
    return result


def in_unit(model: "type[Base]", session: AsyncSession | None) -> bool:
    """Whether a call would share a transaction with others."""
    return session is not None or ambient_unit(model.database()) is not None
