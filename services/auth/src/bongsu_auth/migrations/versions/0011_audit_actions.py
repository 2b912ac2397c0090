"""An index of the audit log by action."""

from alembic import op

revision = "auth_0011"
down_revision = "auth_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_log_action", "audit_log", ["action", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_log_action", "audit_log")
