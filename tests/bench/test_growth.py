"""The plans of notify's queries on 10,000 notifications: what an operation reads does not grow with their number."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event

from bench.growth import OPERATIONS, SMALL, Side, planning
from bongsu import outbox
from bongsu.mixins import Database
from bongsu.runtime.migrations import upgrade
from bongsu_auth.migrations import MIGRATIONS as AUTH
from bongsu_notify.migrations import MIGRATIONS as NOTIFY
from tests.infrastructure.templates import Schema, WithTables

pytestmark = [pytest.mark.mysql, pytest.mark.timeout(600)]

MAX_READS = 700
"""One user has 1,000 of the notifications. A page has 20, a search reads 300, and counts read 20 of each status."""
LARGE_TABLES = ("notifications", "notification_events", "outbox")


async def create(database: Database) -> None:
    await upgrade(database.engine, [AUTH, NOTIFY, outbox.MIGRATIONS])
    await Side(database, SMALL).fill()


FILLED = Schema("growth", create)


@pytest.fixture
async def side(mysql_with_tables: WithTables) -> AsyncIterator[Side]:
    database = Database(mysql_with_tables(FILLED))
    yield Side(database, SMALL)
    await database.dispose()


@contextmanager
def counting_reads(database: Database) -> Iterator[list[int]]:
    """Count the rows and index entries that each statement reads."""
    found, engine = list[int](), database.engine.sync_engine

    def before(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            connection.exec_driver_sql("FLUSH STATUS")

    def after(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            counters = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'", ())
            found.append(sum(int(value) for _, value in counters))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    yield found
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)


class TestPlans:
    @pytest.mark.parametrize("name", OPERATIONS)
    async def test_operation_reads_by_an_index_and_few_rows(self, side: Side, name: str) -> None:
        operation = OPERATIONS[name]
        with planning(side, name):
            await operation(side)
        scans = [plan for plan in side.plans[name] if plan.startswith(LARGE_TABLES) and ": ALL " in plan]
        assert not scans
        with counting_reads(side.database) as reads:
            await operation(side)
        assert max(reads) < MAX_READS, side.plans[name]
