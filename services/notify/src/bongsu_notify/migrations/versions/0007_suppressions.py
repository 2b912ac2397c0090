"""Addresses that get no more mail, after a bounce or a complaint."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "notify_0007"
down_revision = "notify_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_suppressions",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("recipient", AsciiKey(320), nullable=False),
        sa.Column("reason", AsciiKey(16), nullable=False),
        sa.Column("notification_id", UUIDKey(), nullable=True),
        sa.Column("detail", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notification_suppressions"),
        sa.UniqueConstraint("user_id", "recipient", name="uq_notification_suppressions_recipient"),
    )
    op.create_index("ix_notification_suppressions_user", "notification_suppressions", ["user_id", "id"])
    op.create_index("ix_notification_suppressions_recipient", "notification_suppressions", ["recipient", "id"])


def downgrade() -> None:
    op.drop_table("notification_suppressions")
