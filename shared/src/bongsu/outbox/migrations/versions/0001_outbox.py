"""The outbox."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, Json, UTCDateTime, UUIDKey

revision = "outbox_0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("queue", AsciiKey(128), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("headers", Json(), nullable=False),
        sa.Column("visible_at", UTCDateTime(), nullable=False),
        sa.Column("published_at", UTCDateTime(), nullable=True),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("strandings", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        **OPTIONS,
    )
    op.create_index("ix_outbox_due", "outbox", ["lane", "visible_at", "id"])


def downgrade() -> None:
    op.drop_table("outbox")
