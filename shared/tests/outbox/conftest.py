"""The outbox on a real database, made by its own migrations, with the broker in memory."""

from collections.abc import AsyncIterator

import pytest

from bongsu.broker import QueueSpec
from bongsu.mixins import Database
from bongsu.outbox import MIGRATIONS
from shared.tests.broker.servers import CuttableBroker, RabbitServer
from shared.tests.outbox.brokers import CountingBroker
from tests.infrastructure.templates import Schema, WithTables

QUEUE = "jobs"
TABLES = Schema.migrated("outbox", MIGRATIONS)


@pytest.fixture
async def database(with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(with_tables(TABLES))
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


@pytest.fixture
async def rabbit(queue_prefix: str, amqp_server_url: str) -> AsyncIterator[RabbitServer]:
    server = RabbitServer(queue_prefix, amqp_server_url)
    await server.proxy.start()
    yield server
    await server.close()
