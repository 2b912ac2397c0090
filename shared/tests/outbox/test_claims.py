"""Marks of published messages, while a consumer that has stopped holds one of their rows."""

from collections.abc import AsyncIterator

import pytest

from bongsu.mixins import Database, utc_now
from bongsu.outbox.claims import Claims
from bongsu.outbox.models import OutboxMessage
from shared.tests.outbox.conftest import TABLES
from shared.tests.outbox.rows import append_some
from tests.infrastructure.templates import WithTables

pytestmark = pytest.mark.mysql


@pytest.fixture
async def database(mysql_with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(mysql_with_tables(TABLES))
    yield database
    await database.dispose()


class TestLockedRow:
    @pytest.mark.parametrize("outcome", ["confirmed", "refused", "released"])
    async def test_other_messages_are_marked_when_a_stopped_transaction_has_locked_one(
        self, database: Database, outcome: str
    ) -> None:
        ids = await append_some(database, 3)
        claims = Claims(database, claim_s=30)
        claimed = await claims.take(10)
        async with database.session() as stopped:
            await stopped.execute(OutboxMessage.filter_by(id=ids[1]).lock().statement)
            match outcome:  # each raises when it has waited for the lock
                case "confirmed":
                    await claims.mark_confirmed(claimed, strandings=0, stranded_after_s=60)
                case "refused":
                    await claims.mark_refused(claimed, attempts=1, delay_s=60)
                case _:
                    await claims.release(claimed, delay_s=60)
            await stopped.rollback()
        left = await OutboxMessage.filter_by(claimed_until__isnull=False).pluck("id")
        assert left == [ids[1]]
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(40)).count() == 2
