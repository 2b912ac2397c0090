"""The API on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from services.notify.tests.notifications.api import Api, served


@pytest.fixture
async def api(database: Database, vault: Vault) -> AsyncIterator[Api]:
    async for one in served(database, vault):
        yield one


@pytest.fixture
async def each_api(each_database: Database, vault: Vault) -> AsyncIterator[Api]:
    async for one in served(each_database, vault):
        yield one
