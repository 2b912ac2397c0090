"""Linked accounts, the state of sign-ins at providers, and what providers tell of a user."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    for column in (
        sa.Column("nickname", sa.String(length=100), nullable=True),
        sa.Column("picture", sa.String(length=500), nullable=True),
        sa.Column("phone_number", AsciiKey(32), nullable=True),
        sa.Column("gender", AsciiKey(16), nullable=True),
        sa.Column("birth_year", sa.SmallInteger(), nullable=True),
        sa.Column("birthday", AsciiKey(5), nullable=True),
        sa.Column("age_range", AsciiKey(8), nullable=True),
    ):
        op.add_column("users", column)
    op.create_table(
        "oauth_states",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("state_digest", AsciiKey(64), nullable=False),
        sa.Column("browser_digest", AsciiKey(64), nullable=False),
        sa.Column("provider", AsciiKey(16), nullable=False),
        sa.Column("flow", AsciiKey(8), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=True),
        sa.Column("session_id", UUIDKey(), nullable=True),
        sa.Column("sealed_verifier", sa.Text(), nullable=False),
        sa.Column("nonce", AsciiKey(64), nullable=False),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_states"),
        sa.UniqueConstraint("state_digest", name="uq_oauth_states_state_digest"),
        **OPTIONS,
    )
    op.create_index("ix_oauth_states_expires", "oauth_states", ["expires_at"])
    op.create_table(
        "linked_accounts",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("provider", AsciiKey(16), nullable=False),
        sa.Column("subject", AsciiKey(255), nullable=False),
        sa.Column("display_name", sa.String(length=100), nullable=True),
        sa.Column("sealed_access_token", sa.Text(), nullable=True),
        sa.Column("sealed_refresh_token", sa.Text(), nullable=True),
        sa.Column("token_expires_at", UTCDateTime(), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=False),
        sa.Column("profile_due_at", UTCDateTime(), nullable=True),
        sa.Column("profile_attempts", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_linked_accounts_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_linked_accounts"),
        sa.UniqueConstraint("provider", "subject", name="uq_linked_accounts_subject"),
        sa.UniqueConstraint("user_id", "provider", name="uq_linked_accounts_user"),
        **OPTIONS,
    )
    op.create_index("ix_linked_accounts_profile_due", "linked_accounts", ["profile_due_at"])


def downgrade() -> None:
    op.drop_table("linked_accounts")
    op.drop_table("oauth_states")
    for name in ("age_range", "birthday", "birth_year", "gender", "phone_number", "picture", "nickname"):
        op.drop_column("users", name)
