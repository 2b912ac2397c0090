"""Idempotency keys of retries, and an index for the staff's list of one channel."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "notify_0003"
down_revision = "notify_0002"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_index("ix_notifications_channel", "notifications", ["channel", "id"])
    op.create_table(
        "notification_retry_keys",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("principal", AsciiKey(48), nullable=False),
        sa.Column("idempotency_key", AsciiKey(255), nullable=False),
        sa.Column("notification_id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification_retry_keys"),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_notification_retry_keys_notification_id_notifications",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("principal", "idempotency_key", name="uq_notification_retry_keys_idempotency"),
        **OPTIONS,
    )
    op.create_index("ix_notification_retry_keys_notification", "notification_retry_keys", ["notification_id"])


def downgrade() -> None:
    op.drop_table("notification_retry_keys")
    op.drop_index("ix_notifications_channel", "notifications")
