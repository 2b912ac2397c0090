"""The table of messages that were sent for notify."""

from typing import ClassVar

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import AsciiKey, BaseModel


class SentMessage(BaseModel):
    """A message at Discord, by the nonce of its request: a repeated request posts nothing."""

    __tablename__ = "sent_messages"
    __owner__: ClassVar[str] = "bot"

    nonce: Mapped[str] = mapped_column(AsciiKey(25))
    channel_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("nonce", name="uq_sent_messages_nonce"),
        Index("ix_sent_messages_created", "created_at"),
    )
