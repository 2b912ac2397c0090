"""Second factors: authenticator apps, recovery codes, and sign-ins that wait for one."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "auth_0008"
down_revision = "auth_0007"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def _create(table: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        *parts,
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        **OPTIONS,
    )


def upgrade() -> None:
    op.add_column("users", sa.Column("mfa_enabled_at", UTCDateTime(), nullable=True))
    _create(
        "totp_factors",
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("user_id", name="uq_totp_factors_user"),
    )
    _create(
        "recovery_codes",
        sa.Column("code_digest", AsciiKey(64), nullable=False),
        sa.UniqueConstraint("user_id", "code_digest", name="uq_recovery_codes_user_code"),
    )
    _create(
        "mfa_challenges",
        sa.Column("token_digest", AsciiKey(64), nullable=False),
        sa.Column("provider", AsciiKey(16), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.UniqueConstraint("token_digest", name="uq_mfa_challenges_token_digest"),
    )
    op.create_index("ix_mfa_challenges_user", "mfa_challenges", ["user_id"])
    op.create_index("ix_mfa_challenges_expires", "mfa_challenges", ["expires_at"])


def downgrade() -> None:
    for table in ("mfa_challenges", "recovery_codes", "totp_factors"):
        op.drop_table(table)
    op.drop_column("users", "mfa_enabled_at")
