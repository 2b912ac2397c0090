"""The number of IDENTIFYs without a session."""

import sqlalchemy as sa
from alembic import op

revision = "bot_0013"
down_revision = "bot_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identify_slots", sa.Column("count", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("identify_slots", "count")
