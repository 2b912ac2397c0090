"""The changes of guilds, and the uses of commands in them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "bot_0004"
down_revision = "bot_0003"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "guild_changes",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", AsciiKey(32), nullable=False),
        sa.Column("actor_id", UUIDKey(), nullable=True),
        sa.Column("detail", sa.String(200), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guild_changes"),
        **OPTIONS,
    )
    op.create_index("ix_guild_changes_guild", "guild_changes", ["guild_id", "id"])
    op.create_table(
        "command_uses",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("command", AsciiKey(100), nullable=False),
        sa.Column("outcome", AsciiKey(16), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_command_uses"),
        **OPTIONS,
    )
    op.create_index("ix_command_uses_guild", "command_uses", ["guild_id", "created_at"])
    op.create_index("ix_leave_requests_guild", "leave_requests", ["guild_id", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_leave_requests_guild", "leave_requests")
    op.drop_table("command_uses")
    op.drop_table("guild_changes")
