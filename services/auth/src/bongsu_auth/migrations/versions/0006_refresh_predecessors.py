"""The refresh token that was exchanged for the newest one: with siblings, it is not the one numbered just before."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0006"
down_revision = "auth_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("predecessor", sa.Integer(), nullable=True))
    sessions = sa.table("sessions", sa.column("predecessor"), sa.column("generation"))
    op.execute(sessions.update().values(predecessor=sessions.c.generation - 1))


def downgrade() -> None:
    op.drop_column("sessions", "predecessor")
