"""Sign-ins of API clients: what the client asked for, and the codes that it exchanges."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, UTCDateTime, UUIDKey

revision = "auth_0009"
down_revision = "auth_0008"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.add_column("oauth_states", sa.Column("redirect_uri", sa.Text(), nullable=True))
    op.add_column("oauth_states", sa.Column("client_challenge", AsciiKey(64), nullable=True))
    op.add_column("oauth_states", sa.Column("client_state", sa.Text(), nullable=True))
    op.create_table(
        "oauth_codes",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("code_digest", AsciiKey(64), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("provider", AsciiKey(16), nullable=False),
        sa.Column("code_challenge", AsciiKey(64), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_oauth_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_codes"),
        sa.UniqueConstraint("code_digest", name="uq_oauth_codes_code_digest"),
        **OPTIONS,
    )
    op.create_index("ix_oauth_codes_user", "oauth_codes", ["user_id"])
    op.create_index("ix_oauth_codes_expires", "oauth_codes", ["expires_at"])


def downgrade() -> None:
    op.drop_table("oauth_codes")
    for name in ("client_state", "client_challenge", "redirect_uri"):
        op.drop_column("oauth_states", name)
