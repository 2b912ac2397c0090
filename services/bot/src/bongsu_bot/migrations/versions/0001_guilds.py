"""Guilds, and who had the bot leave them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "bot_0001"
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
        "guilds",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("icon", AsciiKey(64), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("member_count", sa.Integer(), nullable=True),
        sa.Column("status", AsciiKey(16), nullable=False),
        sa.Column("joined_at", UTCDateTime(), nullable=True),
        sa.Column("left_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guilds"),
        **OPTIONS,
    )
    op.create_index("ix_guilds_status", "guilds", ["status", "id"])
    op.create_table(
        "departures",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("actor_id", UUIDKey(), nullable=False),
        sa.Column("idempotency_key", AsciiKey(128), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", UTCDateTime(), nullable=False),
        sa.Column("left_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_departures"),
        sa.UniqueConstraint("actor_id", "idempotency_key", name="uq_departures_key"),
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("departures")
    op.drop_table("guilds")
