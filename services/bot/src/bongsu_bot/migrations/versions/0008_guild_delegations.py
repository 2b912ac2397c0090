"""The roles that may manage modules."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "bot_0008"
down_revision = "bot_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guild_delegations",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("guild_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_by", UUIDKey(), nullable=False),
        sa.Column("idempotency_key", AsciiKey(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guild_delegations"),
        sa.UniqueConstraint("guild_id", name="uq_guild_delegations_guild_id"),
    )


def downgrade() -> None:
    op.drop_table("guild_delegations")
