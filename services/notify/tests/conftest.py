"""Notify on a real database, with the broker in memory and a provider that remembers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bongsu.broker import QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import OneByOne, Outcome, Sent
from bongsu_notify.settings import NotifySettings
from tests.infrastructure.templates import Schema, WithTables


@dataclass
class RememberingProvider(OneByOne[EmailMessage]):
    """Accepts every message, unless `answers` has other outcomes."""

    answers: list[Outcome] = field(default_factory=list)
    sent: list[EmailMessage] = field(default_factory=list)
    max_rate: float | None = None

    async def open(self) -> None:
        """Nothing to open."""

    async def is_ready(self) -> bool:
        """It always is."""
        return True

    async def send_one(self, message: EmailMessage) -> Outcome:
        """Remember the message; return the next of `answers`, or a success."""
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else Sent(f"m-{message.notification_id}")

    async def close(self) -> None:
        """Nothing to close."""


TABLES = Schema.of_models("notify")


async def _open(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.dispose()


@pytest.fixture
async def database(sqlite_with_tables: WithTables) -> AsyncIterator[Database]:
    """SQLite, where the database does not matter."""
    async for one in _open(sqlite_with_tables(TABLES)):
        yield one


@pytest.fixture
async def each_database(with_tables: WithTables) -> AsyncIterator[Database]:
    """SQLite and MySQL or MariaDB, where it does."""
    async for one in _open(with_tables(TABLES)):
        yield one


@pytest.fixture
async def mysql_database(mysql_with_tables: WithTables) -> AsyncIterator[Database]:
    """MySQL or MariaDB, where rows are locked one by one."""
    async for one in _open(mysql_with_tables(TABLES)):
        yield one


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    await broker.connect()
    await broker.declare(*(QueueSpec(name) for name in ALL_QUEUES))
    yield broker
    await broker.close()


@pytest.fixture
def vault() -> Vault:
    return Vault.parse(Vault.new_key())


@pytest.fixture
def settings() -> NotifySettings:
    return NotifySettings()


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


@pytest.fixture
def provider() -> RememberingProvider:
    return RememberingProvider()
