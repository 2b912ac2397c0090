"""Replies with several pages, whose buttons outlive the process."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, Json, UTCDateTime, UUIDKey

revision = "bot_0007"
down_revision = "bot_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paged_replies",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("discord_user_id", sa.BigInteger(), nullable=False),
        sa.Column("command", AsciiKey(100), nullable=False),
        sa.Column("options", Json(), nullable=False),
        sa.Column("cursors", Json(), nullable=False),
        sa.Column("following", AsciiKey(100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_paged_replies"),
    )
    op.create_index("ix_paged_replies_created", "paged_replies", ["created_at"])


def downgrade() -> None:
    op.drop_table("paged_replies")
