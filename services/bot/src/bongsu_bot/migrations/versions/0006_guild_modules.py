"""The modules that guilds have set."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "bot_0006"
down_revision = "bot_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guild_modules",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("module", AsciiKey(16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_by", UUIDKey(), nullable=False),
        sa.Column("idempotency_key", AsciiKey(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guild_modules"),
        sa.UniqueConstraint("guild_id", "module", name="uq_guild_modules_module"),
    )


def downgrade() -> None:
    op.drop_table("guild_modules")
