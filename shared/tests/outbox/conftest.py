"""The outbox on a real database, made by its own migrations, with the broker in memory."""

from collections.abc import AsyncIterator

import pytest

from bongsu.broker import QueueSpec
from bongsu.mixins import Database
from bongsu.outbox import MIGRATIONS
from bongsu.runtime.migrations import upgrade
from shared.tests.broker.servers import CuttableBroker
from shared.tests.outbox.brokers import CountingBroker

QUEUE = "jobs"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await upgrade(database.engine, [MIGRATIONS])
    yield database
    await database.dispose()


@pytest.fixture
async def broker() -> AsyncIterator[CuttableBroker]:
    broker = CuttableBroker()
    await broker.connect()
    await broker.declare(QueueSpec(QUEUE))
    yield broker
    await broker.close()


@pytest.fixture
async def counting() -> AsyncIterator[CountingBroker]:
    broker = CountingBroker()
    await broker.connect()
    await broker.declare(QueueSpec(QUEUE))
    yield broker
    await broker.close()
