"""Locks by which the limits of subscriptions are exact."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "notify_0010"
down_revision = "notify_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_subscription_locks",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("scope", AsciiKey(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification_subscription_locks"),
        sa.UniqueConstraint("scope", name="uq_notification_subscription_locks_scope"),
    )


def downgrade() -> None:
    op.drop_table("notification_subscription_locks")
