"""When the next message may go out by each provider, for all workers together."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "notify_0006"
down_revision = "notify_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_send_slots",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("provider", AsciiKey(16), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("slowed_at", UTCDateTime(), nullable=True),
        sa.Column("slowdown", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification_send_slots"),
        sa.UniqueConstraint("provider", name="uq_notification_send_slots_provider"),
    )


def downgrade() -> None:
    op.drop_table("notification_send_slots")
