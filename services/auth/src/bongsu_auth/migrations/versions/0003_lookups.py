"""Indices for the look-ups of sign-ups and sign-ins: recent mails to an address, and a user's open sessions."""

from alembic import op

revision = "auth_0003"
down_revision = "auth_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_registrations_email", "registrations")
    op.create_index("ix_registrations_email", "registrations", ["email_norm", "updated_at"])
    # Made before the other goes: MySQL wants one for the foreign key at all times.
    op.create_index("ix_sessions_user_ended", "sessions", ["user_id", "ended_at", "id"])
    op.drop_index("ix_sessions_user", "sessions")


def downgrade() -> None:
    op.create_index("ix_sessions_user", "sessions", ["user_id", "id"])
    op.drop_index("ix_sessions_user_ended", "sessions")
    op.drop_index("ix_registrations_email", "registrations")
    op.create_index("ix_registrations_email", "registrations", ["email_norm", "created_at"])
