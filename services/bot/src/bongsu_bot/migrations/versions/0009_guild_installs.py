"""The users who added the bot."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UTCDateTime, UUIDKey

revision = "bot_0009"
down_revision = "bot_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guild_installs",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", UUIDKey(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guild_installs"),
        sa.UniqueConstraint("guild_id", name="uq_guild_installs_guild_id"),
    )


def downgrade() -> None:
    op.drop_table("guild_installs")
