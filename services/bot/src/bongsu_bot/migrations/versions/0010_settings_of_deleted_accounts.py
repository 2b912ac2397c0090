"""Settings outlive the account that made them."""

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import UUIDKey

revision = "bot_0010"
down_revision = "bot_0009"
branch_labels = None
depends_on = None

TABLES = ("guild_modules", "guild_delegations")


def upgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as table:
            table.alter_column("changed_by", existing_type=UUIDKey(), nullable=True)


def downgrade() -> None:
    for name in TABLES:
        changed_by: sa.ColumnClause[object] = sa.column("changed_by")
        op.execute(sa.delete(sa.table(name, changed_by)).where(changed_by.is_(None)))
        with op.batch_alter_table(name) as table:
            table.alter_column("changed_by", existing_type=UUIDKey(), nullable=False)
