"""Rows that are marked as deleted instead of being deleted."""

from datetime import datetime
from typing import ClassVar, Self

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins.clock import python_now
from bongsu.mixins.crud import CRUDMixin
from bongsu.mixins.instances import check_saved, is_settled, own_session, state_of
from bongsu.mixins.types import UTCDateTime


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
