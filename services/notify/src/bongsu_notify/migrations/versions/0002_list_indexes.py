"""An index for each filter of the lists, of one user's notifications and of all."""

from alembic import op

revision = "notify_0002"
down_revision = "notify_0001"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_notifications_user_topic": ["user_id", "topic", "id"],
    "ix_notifications_user_channel": ["user_id", "channel", "id"],
    "ix_notifications_status": ["status", "id"],
    "ix_notifications_recipient": ["recipient", "id"],
    "ix_notifications_topic": ["topic", "id"],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "notifications", columns)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "notifications")
