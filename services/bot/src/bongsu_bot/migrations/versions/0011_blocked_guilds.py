"""The guilds that the bot must not be in."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UTCDateTime, UUIDKey

revision = "bot_0011"
down_revision = "bot_0010"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "blocked_guilds",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("blocked_by", UUIDKey(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_blocked_guilds"),
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("blocked_guilds")
