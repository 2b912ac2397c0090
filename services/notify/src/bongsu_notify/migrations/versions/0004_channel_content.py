"""`to` and `content` as JSON in each channel's own shape, in place of an email's columns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from bongsu.mixins import Json

revision = "notify_0004"
down_revision = "notify_0003"
branch_labels = None
depends_on = None

LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
ROWS = sa.table(
    "notifications",
    *(sa.column(name) for name in ("recipient", "recipient_name", "text", "html", "template", "to", "content")),
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    # SQLite cannot add a NOT NULL column without a default, nor drop the default later.
    empty = sa.text("'{}'" if is_sqlite else "('{}')")
    op.add_column("notifications", sa.Column("to", Json(), nullable=False, server_default=empty))
    op.add_column("notifications", sa.Column("content", Json(), nullable=True))
    row, make = ROWS.c, sa.func.json_object
    op.execute(ROWS.update().values(to=make("email", row.recipient, "name", row.recipient_name)))
    op.execute(ROWS.update().where(row.template.is_(None)).values(content=make("text", row.text, "html", row.html)))
    if not is_sqlite:
        op.alter_column("notifications", "to", existing_type=Json(), existing_nullable=False, server_default=None)
    for name in ("recipient_name", "text", "html"):
        op.drop_column("notifications", name)


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    row = ROWS.c
    columns = (
        ("recipient_name", sa.String(200), row.to, "$.name"),
        ("text", LONG_TEXT, row.content, "$.text"),
        ("html", LONG_TEXT, row.content, "$.html"),
    )
    for name, kind, document, path in columns:
        op.add_column("notifications", sa.Column(name, kind, nullable=True))
        found = sa.func.json_extract(document, path)
        value = found if is_sqlite else sa.func.json_unquote(sa.func.nullif(found, sa.func.json_extract("null", "$")))
        op.execute(ROWS.update().values({name: value}))
    op.drop_column("notifications", "to")
    op.drop_column("notifications", "content")
