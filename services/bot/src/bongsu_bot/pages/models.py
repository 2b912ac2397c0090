"""The table of replies with several pages, so that their buttons outlive the process."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel, Json


class PagedReply(BaseModel):
    """What a user looks at: the pages on the way to the one that is shown, and the one that follows.

    :param cursors: None for the first page.
    """

    __tablename__ = "paged_replies"
    __owner__: ClassVar[str] = "bot"

    discord_user_id: Mapped[int] = mapped_column(BigInteger)
    command: Mapped[str] = mapped_column(AsciiKey(100))
    options: Mapped[dict[str, Any]] = mapped_column(Json())
    cursors: Mapped[list[Any]] = mapped_column(Json())
    following: Mapped[str | None] = mapped_column(AsciiKey(100))

    __table_args__ = (Index("ix_paged_replies_created", "created_at"),)
