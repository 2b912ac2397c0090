"""The tables by which the bot's processes share its shards."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import BaseModel, UTCDateTime, UUIDKey


class BotReplica(BaseModel):
    """A process of the bot; it is gone after `expires_at`."""

    __tablename__ = "bot_replicas"
    __owner__: ClassVar[str] = "bot"

    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())


class ShardLease(BaseModel):
    """A shard and the process that runs it. Another process may take it after `expires_at`.

    `epoch` grows with each change of the holder: a process that was replaced has an old one.
    """

    __tablename__ = "shard_leases"
    __owner__: ClassVar[str] = "bot"

    shard: Mapped[int] = mapped_column(Integer)
    holder_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (UniqueConstraint("shard", name="uq_shard_leases_shard"),)


class IdentifySlot(BaseModel):
    """When the next IDENTIFY of a rate limit bucket is possible, over all processes (Discord's `max_concurrency`).

    Bucket -1 is that of all shards; its `count` is that of the IDENTIFYs since one was followed by a session.
    """

    __tablename__ = "identify_slots"
    __owner__: ClassVar[str] = "bot"

    bucket: Mapped[int] = mapped_column(Integer)
    count: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (UniqueConstraint("bucket", name="uq_identify_slots_bucket"),)
