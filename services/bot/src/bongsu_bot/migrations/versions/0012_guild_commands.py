"""Commands that guilds have switched off."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "bot_0012"
down_revision = "bot_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guild_commands",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("off", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_by", UUIDKey(), nullable=True),
        sa.Column("idempotency_key", AsciiKey(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guild_commands"),
        sa.UniqueConstraint("guild_id", name="uq_guild_commands_guild_id"),
    )


def downgrade() -> None:
    op.drop_table("guild_commands")
