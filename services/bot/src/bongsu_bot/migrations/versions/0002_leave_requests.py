"""Name the table of leave requests after its rows."""

from alembic import op

revision = "bot_0002"
down_revision = "bot_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rename("departures", "leave_requests")


def downgrade() -> None:
    _rename("leave_requests", "departures")


def _rename(old: str, new: str) -> None:
    op.rename_table(old, new)
    with op.batch_alter_table(new) as table:
        table.create_unique_constraint(f"uq_{new}_key", ["actor_id", "idempotency_key"])
        table.drop_constraint(f"uq_{old}_key", type_="unique")
