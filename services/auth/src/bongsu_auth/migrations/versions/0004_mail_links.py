"""Links in mails that reset a password or change an address."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bongsu.mixins import AsciiKey, ExactString, UTCDateTime, UUIDKey

revision = "auth_0004"
down_revision = "auth_0003"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{server}_{name}": value
    for server in ("mysql", "mariadb")
    for name, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "mail_links",
        sa.Column("id", UUIDKey(), nullable=False),
        sa.Column("user_id", UUIDKey(), nullable=False),
        sa.Column("purpose", AsciiKey(16), nullable=False),
        sa.Column("token_digest", AsciiKey(64), nullable=False),
        sa.Column("email_norm", ExactString(254), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_mail_links_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mail_links"),
        sa.UniqueConstraint("token_digest", name="uq_mail_links_token_digest"),
        **OPTIONS,
    )
    op.create_index("ix_mail_links_user", "mail_links", ["user_id", "purpose", "created_at"])
    op.create_index("ix_mail_links_expires", "mail_links", ["expires_at"])


def downgrade() -> None:
    op.drop_table("mail_links")
