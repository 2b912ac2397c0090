"""The real app on a real database."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pwdlib.hashers.argon2 import Argon2Hasher

from bongsu import outbox
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.app import create_app
from bongsu_auth.migrations import MIGRATIONS
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Providers
from services.auth.tests.stage import APP, URL, Notifications, Stage
from tests.fake import Fake
from tests.infrastructure.templates import Schema, WithTables

TABLES = Schema.migrated("auth", MIGRATIONS, outbox.MIGRATIONS)


async def staged(url: str, settings: AuthSettings, argon2: Argon2Hasher, fake: Fake) -> AsyncIterator[Stage]:
    database = Database(url)
    vault = Vault.parse(Vault.new_key())
    await ensure_signing_key(vault)
    identity = Identity(
        vault=vault,
        public_url=URL,
        trusted_proxies=["10.0.0.0/8"],
        cors_origins=[APP],
        revocations=RevocationFeed(poll_every_s=0.2, stale_after_s=60),
    )
    providers, notifications = Providers(), Notifications()

    def make_app() -> FastAPI:
        return create_app(
            settings=settings,
            identity=identity,
            database=database,
            vault=vault,
            public_url=URL,
            notify=httpx.AsyncClient(transport=httpx.MockTransport(notifications), base_url=URL),
            providers_transport=providers.transport,
            argon2=argon2,
        )

    app = make_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client,
    ):
        yield Stage(app, client, database, vault, providers, fake, make_app, notifications)
    await database.dispose()


@pytest.fixture
def settings() -> AuthSettings:
    """The defaults with all providers. A test module may override them."""
    return AuthSettings.model_validate(SETTINGS)


@pytest.fixture
def argon2() -> Argon2Hasher:
    """A cheap hasher. `REAL_COST` parametrises a test with the real one."""
    return Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def stage(
    sqlite_with_tables: WithTables, settings: AuthSettings, argon2: Argon2Hasher, fake: Fake
) -> AsyncIterator[Stage]:
    """On SQLite, for tests that do not depend on the database."""
    async for one in staged(sqlite_with_tables(TABLES), settings, argon2, fake):
        yield one


@pytest.fixture
async def each_stage(
    with_tables: WithTables, settings: AuthSettings, argon2: Argon2Hasher, fake: Fake
) -> AsyncIterator[Stage]:
    """On SQLite and on MySQL or MariaDB, for tests that do."""
    async for one in staged(with_tables(TABLES), settings, argon2, fake):
        yield one


@pytest.fixture
async def mysql_stage(
    mysql_with_tables: WithTables, settings: AuthSettings, argon2: Argon2Hasher, fake: Fake
) -> AsyncIterator[Stage]:
    """On MySQL or MariaDB, for tests of locks that SQLite does not have."""
    async for one in staged(mysql_with_tables(TABLES), settings, argon2, fake):
        yield one
