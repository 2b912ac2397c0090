"""The guesses of a counter that are being checked."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UTCDateTime

revision = "auth_0010"
down_revision = "auth_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("login_failures", sa.Column("pending", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("login_failures", sa.Column("pending_until", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("login_failures", "pending_until")
    op.drop_column("login_failures", "pending")
