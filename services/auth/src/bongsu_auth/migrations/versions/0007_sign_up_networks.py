"""The network that a sign-up came from, for the limit on mails."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey

revision = "auth_0007"
down_revision = "auth_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registrations", sa.Column("network", AsciiKey(43), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("registrations", "network")
