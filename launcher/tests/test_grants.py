"""Each service's user can do its own work in MySQL, and nothing else."""

import dataclasses
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.identity.nonces import Nonces
from bongsu.mixins import Base, Database
from bongsu.runtime import revisions
from bongsu.runtime.errors import StartError
from bongsu_launcher import grants
from bongsu_launcher.owners import MIGRATIONS
from tests.infrastructure.servers import execute
from tests.infrastructure.templates import Schema, WithTables

TABLES = Schema.migrated("all", *MIGRATIONS)

PASSWORDS = {access.service: f"password of {access.service}" for access in grants.ACCESS}
DENIED = (1142, 1044, 1045, 1227, 1370)
NO_DEFAULT = 1364
"""A row lacks values: only a user that may insert gets that far."""

# A statement for each privilege, which changes nothing where it is allowed.
ATTEMPTS = {
    "SELECT": "SELECT 1 FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} (id) SELECT 1 FROM DUAL WHERE FALSE",
    "UPDATE": "UPDATE {table} SET created_at = '2026-01-01' WHERE FALSE",
    "DELETE": "DELETE FROM {table} WHERE FALSE",
}

FORBIDDEN = (
    "CREATE TABLE mine (id INT)",
    "ALTER TABLE outbox ADD COLUMN more INT",
    "DROP TABLE outbox",
    "TRUNCATE TABLE outbox",
    "DELETE FROM alembic_version_outbox",
    "CREATE USER 'more'@'%'",
    "SELECT 1 FROM mysql.user",
)


@pytest.fixture
async def operator(mysql_with_tables: WithTables) -> AsyncIterator[AsyncEngine]:
    """The operator's connections to a migrated database. The users that the test creates for it are removed."""
    database = Database(mysql_with_tables(TABLES))
    yield database.engine
    await database.dispose()
    url = database.engine.url
    server = url.set(database=None).render_as_string(hide_password=False)
    for access in grants.ACCESS:
        execute(server, f"DROP USER IF EXISTS '{grants.user_of(access.service, str(url.database))}'@'%'")


@asynccontextmanager
async def _as_service(operator: AsyncEngine, service: str) -> AsyncIterator[Database]:
    user = grants.user_of(service, str(operator.url.database))
    database = Database(operator.url.set(username=user, password=PASSWORDS[service]))
    yield database
    await database.dispose()


async def _is_allowed(database: Database, statement: str) -> bool:
    try:
        async with database.engine.connect() as connection:
            await connection.execute(text(statement))
    except DBAPIError as error:
        code = None if error.orig is None else error.orig.args[0]
        if code not in {*DENIED, NO_DEFAULT}:
            raise
        return bool(code == NO_DEFAULT)
    return True


def _tables() -> dict[str, str]:
    """Each table and its owner."""
    models = [mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__owner__]
    return {model.__tablename__: model.__owner__ for model in models if model.__owner__ in _owners()}


def _owners() -> set[str]:
    return {one.owner for one in MIGRATIONS}


class TestApply:
    @pytest.mark.parametrize("service", [access.service for access in grants.ACCESS])
    async def test_service_has_exactly_its_privileges(self, operator: AsyncEngine, service: str) -> None:
        await grants.apply(operator, PASSWORDS)
        wanted = next(access for access in grants.ACCESS if access.service == service).grants()
        async with _as_service(operator, service) as database:
            for table in _tables():
                allowed = {
                    name
                    for name, statement in ATTEMPTS.items()
                    if await _is_allowed(database, statement.format(table=table))
                }
                assert allowed == wanted.get(table, frozenset()), table

    @pytest.mark.parametrize("service", [access.service for access in grants.ACCESS])
    async def test_service_cannot_change_tables_or_users(self, operator: AsyncEngine, service: str) -> None:
        await grants.apply(operator, PASSWORDS)
        async with _as_service(operator, service) as database:
            for statement in FORBIDDEN:
                assert not await _is_allowed(database, statement), statement

    @pytest.mark.parametrize("service", [access.service for access in grants.ACCESS])
    async def test_service_can_read_the_versions_of_its_tables(self, operator: AsyncEngine, service: str) -> None:
        await grants.apply(operator, PASSWORDS)
        owner = next(access.owns for access in grants.ACCESS if access.service == service)
        async with _as_service(operator, service) as database:
            await revisions.require_current(database.engine, [one for one in MIGRATIONS if one.owner == owner])

    @pytest.mark.parametrize("service", ["auth", "notify", "bot"])
    async def test_service_can_use_nonces(self, operator: AsyncEngine, service: str) -> None:
        await grants.apply(operator, PASSWORDS)
        async with _as_service(operator, service):
            nonces = Nonces()
            assert [await nonces.use("key", "nonce"), await nonces.use("key", "nonce")] == [True, False]

    async def test_surplus_privileges_are_revoked(self, operator: AsyncEngine) -> None:
        await grants.apply(operator, PASSWORDS)
        less = tuple(dataclasses.replace(access, others={}) for access in grants.ACCESS)
        await grants.apply(operator, PASSWORDS, less)
        database = str(operator.url.database)
        async with operator.connect() as connection:
            for access in less:
                user = grants.user_of(access.service, database)
                assert await grants.read_grants(connection, user, database) == access.grants()

    async def test_second_run_changes_the_password_only(self, operator: AsyncEngine) -> None:
        await grants.apply(operator, PASSWORDS | {"auth": secrets.token_hex()})
        async with _as_service(operator, "auth") as database:
            assert not await _is_allowed(database, "SELECT 1")
        await grants.apply(operator, PASSWORDS)
        async with _as_service(operator, "auth") as database:
            assert await _is_allowed(database, "SELECT 1")

    async def test_user_is_not_created_when_its_password_is_missing(self, operator: AsyncEngine) -> None:
        users = await grants.apply(operator, {"auth": PASSWORDS["auth"]})
        assert users == [grants.user_of("auth", str(operator.url.database))]

    async def test_sqlite_has_no_users(self, sqlite_database_url: str) -> None:
        database = Database(sqlite_database_url)
        with pytest.raises(StartError, match="--credentials needs MySQL"):
            await grants.apply(database.engine, PASSWORDS)
        await database.dispose()


class TestAccess:
    def test_every_table_has_an_owner(self) -> None:
        assert {access.owns for access in grants.ACCESS} == _owners()

    def test_privileges_on_others_are_on_tables_of_another_owner(self) -> None:
        tables = _tables()
        for access in grants.ACCESS:
            assert all(tables[name] != access.owns for name in access.others), access.service
