"""The MySQL users of the services and their privileges.

Tables are created and changed by `bongsu migrate` alone, as the operator's user.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bongsu.mixins import Base
from bongsu.runtime.errors import StartError
from bongsu_launcher.owners import MIGRATIONS

Grants = Mapping[str, frozenset[str]]
"""Privileges by table."""

READ: Final = frozenset({"SELECT"})
APPEND: Final = frozenset({"INSERT"})
CLAIM: Final = frozenset({"SELECT", "INSERT", "UPDATE"})
"""An upsert that claims a unique value and changes nothing where it is taken, and the read that shows the winner."""
ROWS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})

# What `bongsu.identity` reads to identify a caller.
IDENTITY: Final[Grants] = dict.fromkeys(
    ("users", "linked_accounts", "sessions", "api_keys", "api_key_allowlist", "signing_keys", "revocations"), READ
)


@dataclass(frozen=True, slots=True)
class Access:
    """A service's user: every row of the tables that it owns, and the privileges that it needs on others."""

    service: str
    owns: str
    others: Grants = field(default_factory=dict)

    def grants(self) -> Grants:
        """Every privilege of the user."""
        own = [mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__owner__ == self.owns]
        versions = [one.version_table for one in MIGRATIONS if one.owner == self.owns]
        return {model.__tablename__: ROWS for model in own} | dict.fromkeys(versions, READ) | dict(self.others)


ACCESS: Final = (
    Access("auth", owns="auth", others={"outbox": APPEND}),
    Access(
        "notify",
        owns="notify",
        # The worker settles the messages that it has consumed: it deletes or postpones their rows.
        others={**IDENTITY, "request_nonces": CLAIM, "audit_log": APPEND, "outbox": ROWS},
    ),
    Access("relay", owns="outbox"),
    Access(
        "bot",
        owns="bot",
        # It settles the messages that it has consumed, as notify's worker does.
        others={**IDENTITY, "request_nonces": CLAIM, "audit_log": APPEND, "outbox": ROWS},
    ),
)


def user_of(service: str, database: str) -> str:
    """The name of a service's user, which differs between two databases of one server."""
    return f"{database}_{service}"


async def apply(engine: AsyncEngine, passwords: Mapping[str, str], accesses: Iterable[Access] = ACCESS) -> list[str]:
    """Create the users of the services in `passwords`, and grant and revoke until each has exactly its privileges.

    Privileges that a user has already are not touched, so services keep working meanwhile. The tables must exist.

    :returns: the names of the users.
    :raises StartError: the database is not MySQL, or its name cannot be part of a user name.
    """
    database = engine.url.database or ""
    if engine.dialect.name not in ("mysql", "mariadb"):
        raise StartError("--credentials needs MySQL: SQLite has no users")
    if not re.fullmatch(r"[A-Za-z0-9_]{1,22}", database):
        raise StartError(
            f"The database name {database!r} cannot be part of a user name: use at most 22 letters, digits and _"
        )
    users = []
    async with engine.connect() as connection:
        for access in accesses:
            if access.service in passwords:
                user = user_of(access.service, database)
                await _ensure_user(connection, user, passwords[access.service])
                await _ensure_grants(connection, user, database, access.grants())
                users.append(user)
    return users


async def _ensure_user(connection: AsyncConnection, user: str, password: str) -> None:
    for statement in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
        # SQLAlchemy has no expression for accounts and grants.
        await connection.execute(
            text(f"{statement} :user@'%' IDENTIFIED BY :password"), {"user": user, "password": password}
        )


async def _ensure_grants(connection: AsyncConnection, user: str, database: str, wanted: Grants) -> None:
    present = await read_grants(connection, user, database)
    for table in sorted({*wanted, *present}):
        missing = wanted.get(table, frozenset()) - present.get(table, frozenset())
        surplus = present.get(table, frozenset()) - wanted.get(table, frozenset())
        for privileges, action in ((missing, "GRANT {} ON {} TO"), (surplus, "REVOKE {} ON {} FROM")):
            if privileges:
                where = f"`{database}`.`{table}`"
                # Identifiers and privileges cannot be parameters; these are constants of this module.
                await connection.execute(
                    text(action.format(", ".join(sorted(privileges)), where) + " :user@'%'"), {"user": user}
                )


async def read_grants(connection: AsyncConnection, user: str, database: str) -> Grants:
    """Read a user's privileges on the tables of a database."""
    # The catalogue has no model.
    rows = await connection.execute(
        text(
            "SELECT TABLE_NAME, PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES "
            "WHERE GRANTEE = :grantee AND TABLE_SCHEMA = :database"
        ),
        {"grantee": f"'{user}'@'%'", "database": database},
    )
    found: dict[str, frozenset[str]] = {}
    for table, privilege in rows:
        found[table] = found.get(table, frozenset()) | {privilege}
    return found
