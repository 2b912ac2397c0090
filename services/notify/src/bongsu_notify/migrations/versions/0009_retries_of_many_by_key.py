"""Idempotency keys of retries of many notifications, with the answers that they repeat."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UUIDKey

revision = "notify_0009"
down_revision = "notify_0008"
branch_labels = None
depends_on = None

TABLE = "notification_retry_keys"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("notification_id", existing_type=UUIDKey(), nullable=True)
        table.add_column(sa.Column("fingerprint", AsciiKey(64), nullable=True))
        table.add_column(sa.Column("retried", sa.Integer(), nullable=True))
        table.add_column(sa.Column("following", UUIDKey(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM notification_retry_keys WHERE notification_id IS NULL OR fingerprint IS NOT NULL")
    with op.batch_alter_table(TABLE) as table:
        table.drop_column("following")
        table.drop_column("retried")
        table.drop_column("fingerprint")
        table.alter_column("notification_id", existing_type=UUIDKey(), nullable=False)
