"""Shard leases, the processes that hold them, and the slots of their logins."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UTCDateTime, UUIDKey

revision = "bot_0003"
down_revision = "bot_0002"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "bot_replicas",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bot_replicas"),
        **OPTIONS,
    )
    op.create_table(
        "shard_leases",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("holder_id", UUIDKey(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shard_leases"),
        sa.UniqueConstraint("shard", name="uq_shard_leases_shard"),
        **OPTIONS,
    )
    op.create_table(
        "identify_slots",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identify_slots"),
        sa.UniqueConstraint("bucket", name="uq_identify_slots_bucket"),
        **OPTIONS,
    )


def downgrade() -> None:
    for name in ("identify_slots", "shard_leases", "bot_replicas"):
        op.drop_table(name)
