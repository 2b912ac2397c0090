"""Accounts, sessions, API keys, signing keys, revocations, nonces and the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, ExactString, Json, UTCDateTime, UUIDKey

revision = "auth_0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("action", AsciiKey(64), nullable=False),
        sa.Column("actor_id", UUIDKey(), nullable=True),
        sa.Column("actor_key_id", UUIDKey(), nullable=True),
        sa.Column("subject_id", UUIDKey(), nullable=True),
        sa.Column("target", AsciiKey(128), nullable=True),
        sa.Column("address", AsciiKey(45), nullable=True),
        sa.Column("details", Json(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        **OPTIONS,
    )
    op.create_index("ix_audit_log_actor", "audit_log", ["actor_id", "id"])
    op.create_index("ix_audit_log_subject", "audit_log", ["subject_id", "id"])
    op.create_table(
        "login_failures",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("subject", AsciiKey(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_failures"),
        sa.UniqueConstraint("subject", name="uq_login_failures_subject"),
        **OPTIONS,
    )
    op.create_index("ix_login_failures_expires", "login_failures", ["expires_at"])
    op.create_table(
        "registrations",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("email_norm", ExactString(254), nullable=False),
        sa.Column("hashed_password", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("locale", AsciiKey(8), nullable=False),
        sa.Column("token_digest", AsciiKey(64), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=False),
        sa.Column("browser_digest", AsciiKey(64), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("mails", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registrations"),
        sa.UniqueConstraint("token_digest", name="uq_registrations_token_digest"),
        **OPTIONS,
    )
    op.create_index("ix_registrations_email", "registrations", ["email_norm", "created_at"])
    op.create_index("ix_registrations_expires", "registrations", ["expires_at"])
    op.create_table(
        "request_nonces",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("digest", AsciiKey(43), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request_nonces"),
        sa.UniqueConstraint("digest", name="uq_request_nonces_digest"),
        **OPTIONS,
    )
    op.create_index("ix_request_nonces_expires", "request_nonces", ["expires_at"])
    op.create_table(
        "revocations",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("kind", AsciiKey(8), nullable=False),
        sa.Column("subject_id", UUIDKey(), nullable=False),
        sa.Column("denied_until", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        **OPTIONS,
    )
    op.create_index("ix_revocations_created", "revocations", ["created_at"])
    op.create_index("ix_revocations_expires", "revocations", ["expires_at"])
    op.create_table(
        "signing_keys",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kid", AsciiKey(64), nullable=False),
        sa.Column("public_key", AsciiKey(64), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=False),
        sa.Column("signs_from", UTCDateTime(), nullable=False),
        sa.Column("trusted_until", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
        sa.UniqueConstraint("generation", name="uq_signing_keys_generation"),
        sa.UniqueConstraint("kid", name="uq_signing_keys_kid"),
        **OPTIONS,
    )
    op.create_table(
        "users",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("email_norm", ExactString(254), nullable=True),
        sa.Column("email_verified_at", UTCDateTime(), nullable=True),
        sa.Column("hashed_password", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("locale", AsciiKey(8), nullable=False),
        sa.Column("role", AsciiKey(16), nullable=False),
        sa.Column("status", AsciiKey(8), nullable=False),
        sa.Column("sending", AsciiKey(8), nullable=False),
        sa.Column("tokens_denied_until", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_norm", name="uq_users_email_norm"),
        **OPTIONS,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("access_key", AsciiKey(40), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("sealed_previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_until", UTCDateTime(), nullable=True),
        sa.Column("memo", sa.String(length=200), nullable=True),
        sa.Column("scopes", AsciiKey(255), nullable=False),
        sa.Column("mode", AsciiKey(8), nullable=False),
        sa.Column("status", AsciiKey(8), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("access_key", name="uq_api_keys_access_key"),
        **OPTIONS,
    )
    op.create_index("ix_api_keys_user", "api_keys", ["user_id", "id"])
    op.create_table(
        "sessions",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("sealed_refresh_key", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", UTCDateTime(), nullable=False),
        sa.Column("auth_time", UTCDateTime(), nullable=False),
        sa.Column("amr", AsciiKey(64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("address", AsciiKey(45), nullable=True),
        sa.Column("idle_expires_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("end_reason", AsciiKey(32), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        **OPTIONS,
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires_at"])
    op.create_index("ix_sessions_user", "sessions", ["user_id", "id"])
    op.create_table(
        "api_key_allowlist",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("key_id", UUIDKey(), nullable=False),
        sa.Column("cidr", AsciiKey(49), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_api_key_allowlist_key_id_api_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_key_allowlist"),
        sa.UniqueConstraint("key_id", "cidr", name="uq_api_key_allowlist_entry"),
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("api_key_allowlist")
    op.drop_table("sessions")
    op.drop_table("api_keys")
    op.drop_table("users")
    op.drop_table("signing_keys")
    op.drop_table("revocations")
    op.drop_table("request_nonces")
    op.drop_table("registrations")
    op.drop_table("login_failures")
    op.drop_table("audit_log")
