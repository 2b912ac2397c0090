"""Subscriptions of Discord servers to topics."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "notify_0008"
down_revision = "notify_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_subscriptions",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("owner_id", UUIDKey(), nullable=False),
        sa.Column("topic", AsciiKey(64), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("guild_name", sa.String(100), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_name", sa.String(100), nullable=False),
        sa.Column("created_by", UUIDKey(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification_subscriptions"),
        sa.UniqueConstraint("owner_id", "topic", "channel_id", name="uq_notification_subscriptions_channel"),
    )
    op.create_index("ix_notification_subscriptions_owner", "notification_subscriptions", ["owner_id", "id"])
    op.create_index("ix_notification_subscriptions_guild", "notification_subscriptions", ["guild_id", "id"])


def downgrade() -> None:
    op.drop_table("notification_subscriptions")
