"""Notifications and their timelines."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from bongsu.mixins import AsciiKey, Json, UTCDateTime, UUIDKey

revision = "notify_0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=True),
        sa.Column("principal", AsciiKey(48), nullable=False),
        sa.Column("idempotency_key", AsciiKey(255), nullable=True),
        sa.Column("fingerprint", AsciiKey(64), nullable=True),
        sa.Column("mode", AsciiKey(8), nullable=False),
        sa.Column("channel", AsciiKey(16), nullable=False),
        sa.Column("recipient", AsciiKey(320), nullable=False),
        sa.Column("recipient_name", sa.String(200), nullable=True),
        sa.Column("sender", sa.String(560), nullable=True),
        sa.Column("reply_to", AsciiKey(320), nullable=True),
        sa.Column("template", AsciiKey(64), nullable=True),
        sa.Column("locale", AsciiKey(8), nullable=False),
        sa.Column("sealed_variables", LONG_TEXT, nullable=True),
        sa.Column("subject", sa.String(998), nullable=True),
        sa.Column("text", LONG_TEXT, nullable=True),
        sa.Column("html", LONG_TEXT, nullable=True),
        sa.Column("category", AsciiKey(16), nullable=False),
        sa.Column("topic", AsciiKey(64), nullable=True),
        sa.Column("priority", AsciiKey(8), nullable=False),
        sa.Column("guarantee", AsciiKey(16), nullable=False),
        sa.Column("send_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.Column("status", AsciiKey(16), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("lease_owner", UUIDKey(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("next_attempt_at", UTCDateTime(), nullable=True),
        sa.Column("provider_message_id", AsciiKey(128), nullable=True),
        sa.Column("error_code", AsciiKey(64), nullable=True),
        sa.Column("error_detail", sa.String(500), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("principal", "idempotency_key", name="uq_notifications_idempotency"),
        **OPTIONS,
    )
    op.create_index("ix_notifications_user", "notifications", ["user_id", "id"])
    op.create_index("ix_notifications_user_status", "notifications", ["user_id", "status", "id"])
    op.create_index("ix_notifications_user_recipient", "notifications", ["user_id", "recipient", "id"])
    op.create_table(
        "notification_events",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("notification_id", UUIDKey(), nullable=False),
        sa.Column("status", AsciiKey(16), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("detail", sa.String(500), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification_events"),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_notification_events_notification_id_notifications",
            ondelete="CASCADE",
        ),
        **OPTIONS,
    )
    op.create_index("ix_notification_events_notification", "notification_events", ["notification_id", "id"])


def downgrade() -> None:
    op.drop_table("notification_events")
    op.drop_table("notifications")
