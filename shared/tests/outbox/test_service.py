import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from bongsu.mixins import Conflict, Database, utc_now, uuid7
from bongsu.outbox import append, nudge, postpone, release, service, settle
from bongsu.outbox.models import OutboxMessage
from shared.tests.outbox.conftest import QUEUE
from shared.tests.outbox.rows import append_some, due_in_s, only_row, row_count


class TestAppend:
    async def test_row_holds_the_message(self, database: Database) -> None:
        async with database.unit():
            row_id = await append(QUEUE, {"text": "안녕 👋", "n": [1]}, lane=0, headers={"trace": "t-1"})
        row = await only_row()
        assert (row.id, row.queue, row.lane) == (row_id, QUEUE, 0)
        assert (row.body, row.headers) == ({"text": "안녕 👋", "n": [1]}, {"trace": "t-1"})
        assert (row.published_at, row.claimed_until, row.attempts, row.strandings) == (None, None, 0, 0)

    async def test_row_is_due_immediately(self, database: Database) -> None:
        (row_id,) = await append_some(database, 1)
        assert await due_in_s(row_id) == 0

    async def test_row_is_rolled_back_with_its_transaction(self, database: Database) -> None:
        await append_and_fail(database)
        assert await row_count() == 0

    async def test_row_is_due_after_the_delay(self, database: Database) -> None:
        async with database.unit():
            row_id = await append(QUEUE, {}, delay_s=5)
        assert await due_in_s(row_id) == 5

    async def test_row_is_due_at_the_given_time(self, database: Database) -> None:
        times = [datetime.now(UTC) + timedelta(seconds=60), datetime.now(UTC) - timedelta(days=1)]
        async with database.unit():
            ids = [await append(QUEUE, {}, at=at) for at in times]
        assert [(await OutboxMessage.get(row_id)).visible_at for row_id in ids] == times

    async def test_given_id_is_the_id_of_the_message(self, database: Database) -> None:
        row_id = uuid7()
        async with database.unit():
            assert await append(QUEUE, {}, id=row_id) == row_id
        assert (await only_row()).id == row_id

    async def test_existing_id_is_a_conflict(self, database: Database) -> None:
        (row_id,) = await append_some(database, 1)
        async with database.unit():
            with pytest.raises(Conflict):
                await append(QUEUE, {}, id=row_id)

    async def test_unknown_lane_is_refused(self, database: Database) -> None:
        async with database.unit():
            with pytest.raises(ValueError, match="Lane 3"):
                await append(QUEUE, {}, lane=3)

    async def test_commit_wakes_the_relay_and_not_before(self, database: Database) -> None:
        woken = service.add_wake_up()
        async with database.unit():
            await append(QUEUE, {})
            assert not woken.is_set()
        assert woken.is_set()
        service.remove_wake_up(woken)

    async def test_rollback_wakes_no_relay(self, database: Database) -> None:
        woken = service.add_wake_up()
        await append_and_fail(database)
        assert not woken.is_set()
        service.remove_wake_up(woken)


class TestSettle:
    async def test_settled_rows_are_deleted(self, database: Database) -> None:
        ids = await append_some(database, 3)
        async with database.unit():
            assert await settle(ids[:2]) == 2
        assert (await only_row()).id == ids[2]

    async def test_unknown_ids_are_ignored(self, database: Database) -> None:
        async with database.unit():
            assert await settle([uuid7()]) == 0
            assert await settle([]) == 0

    async def test_row_remains_when_the_transaction_of_the_consumer_fails(self, database: Database) -> None:
        ids = await append_some(database, 1)
        with suppress(RuntimeError):
            async with database.unit():
                await settle(ids)
                raise RuntimeError
        assert await row_count() == 1


class TestPostpone:
    async def test_postponed_row_is_due_later_and_unpublished(self, database: Database) -> None:
        ids = await append_some(database, 1)
        await OutboxMessage.filter_by(id__in=ids).update(
            published_at=utc_now(), claimed_until=utc_now(30), strandings=3
        )
        async with database.unit():
            assert await postpone({ids[0]: 15}) == 1
        row = await only_row()
        assert (row.published_at, row.claimed_until, row.strandings) == (None, None, 0)
        assert await due_in_s(row.id) == 15

    async def test_postponing_no_messages_is_allowed(self, database: Database) -> None:
        async with database.unit():
            assert await postpone({}) == 0

    async def test_messages_are_postponed_by_their_own_delays_in_one_statement(self, database: Database) -> None:
        delays_s = dict(zip(await append_some(database, 3), (1.0, 15.0, 60.0), strict=True))
        statements: list[str] = []

        @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
        def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        async with database.unit():
            assert await postpone({**delays_s, uuid7(): 5.0}) == 3
        assert len(statements) == 1
        assert [await due_in_s(key) for key in delays_s] == [1, 15, 60]


class TestRelease:
    async def test_published_and_claimed_rows_are_due_after_release(self, database: Database) -> None:
        published, claimed, scheduled = await append_some(database, 3)
        await set_times(published, published_at=utc_now(), visible_at=utc_now(60))
        await set_times(claimed, claimed_until=utc_now(30), visible_at=utc_now(30))
        await set_times(scheduled, visible_at=utc_now(30))
        async with database.unit():
            assert await release() == 2
        assert [await due_in_s(one) for one in (published, claimed, scheduled)] == [0, 0, 30]


class TestNudge:
    async def test_nudge_wakes_every_relay_of_the_process(self) -> None:
        wake_ups = [service.add_wake_up(), service.add_wake_up()]
        nudge()
        assert all(wake_up.is_set() for wake_up in wake_ups)
        for wake_up in wake_ups:
            service.remove_wake_up(wake_up)

    async def test_nudge_leaves_out_removed_relays(self) -> None:
        event: asyncio.Event = service.add_wake_up()
        service.remove_wake_up(event)
        nudge()
        assert not event.is_set()


async def set_times(row_id: UUID, **times: object) -> None:
    await OutboxMessage.filter_by(id=row_id).update(**times)


async def append_and_fail(database: Database) -> None:
    with suppress(RuntimeError):
        async with database.unit():
            await append(QUEUE, {})
            raise RuntimeError
