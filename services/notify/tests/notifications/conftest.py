"""The API on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from services.notify.tests.notifications.api import Api, serve_api


@pytest.fixture
async def api(database: Database, vault: Vault) -> AsyncIterator[Api]:
    async for one in serve_api(database, vault):
        yield one


@pytest.fixture
async def each_api(each_database: Database, vault: Vault) -> AsyncIterator[Api]:
    async for one in serve_api(each_database, vault):
        yield one
