"""The lease of the process that renews a linked account's tokens."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UTCDateTime

revision = "auth_0012"
down_revision = "auth_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("linked_accounts", sa.Column("token_renewal_until", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("linked_accounts", "token_renewal_until")
