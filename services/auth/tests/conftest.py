"""The real app on a real database."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from bongsu import outbox
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.migrations import upgrade
from bongsu_auth.app import MIGRATIONS, create_app
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Providers
from services.auth.tests.stage import URL, Stage


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to be copied: migrating for every test would take most of the time."""
    path = tmp_path_factory.mktemp("migrated") / "template.sqlite3"

    async def migrate() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await upgrade(database.engine, [MIGRATIONS, outbox.MIGRATIONS])
        await database.dispose()

    asyncio.run(migrate())
    return path


async def staged(url: str, settings: AuthSettings, migrated: Path) -> AsyncIterator[Stage]:
    target = make_url(url)
    is_file = target.get_backend_name() == "sqlite"
    if is_file:
        shutil.copy(migrated, str(target.database))
    database = Database(url)
    vault = Vault.parse(Vault.new_key())
    if not is_file:
        await upgrade(database.engine, [MIGRATIONS, outbox.MIGRATIONS])
    await ensure_signing_key(vault)
    identity = Identity(
        vault=vault, public_url=URL, trusted_proxies=["10.0.0.0/8"], revocations=RevocationFeed(poll_every_s=0.2)
    )
    providers = Providers()
    app = create_app(
        settings=settings,
        identity=identity,
        database=database,
        vault=vault,
        public_url=URL,
        providers_transport=providers.transport,
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client,
    ):
        yield Stage(app, client, database, vault, providers)
    await database.dispose()


@pytest.fixture
def settings() -> AuthSettings:
    """The defaults, with all providers; a test module may have its own."""
    return AuthSettings.model_validate(SETTINGS)


@pytest.fixture
async def stage(sqlite_database_url: str, settings: AuthSettings, migrated: Path) -> AsyncIterator[Stage]:
    """On SQLite, for what does not depend on the database."""
    async for one in staged(sqlite_database_url, settings, migrated):
        yield one


@pytest.fixture
async def each_stage(database_url: str, settings: AuthSettings, migrated: Path) -> AsyncIterator[Stage]:
    """On SQLite and on MySQL or MariaDB, for what does."""
    async for one in staged(database_url, settings, migrated):
        yield one
