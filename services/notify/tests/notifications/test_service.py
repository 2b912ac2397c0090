import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from pydantic import Field
from sqlalchemy import Connection, event

from bongsu.mixins import Database, uuid7
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.notifications.idempotency import fingerprint
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.service import Filters, Notifications, Principal
from bongsu_notify.settings import NotifySettings
from services.notify.tests.rows import email_row
from tests.infrastructure.templates import Schema, WithTables

USER = uuid7()


@dataclass
class Reads:
    """The rows that each query of notifications read (MySQL, MariaDB), or the columns of the range (SQLite)."""

    rows: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)


async def create_many_rows(database: Database) -> None:
    """Over 3,000 rows, of which one user has nearly all: enough for the optimiser to choose as it does on more."""
    await database.create_all()
    users = (USER if at % 50 else uuid7() for at in range(3000))
    await Notification.bulk_create([email_row(user_id=user, status="failed", topic="billing") for user in users])
    if database.engine.dialect.name != "sqlite":
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql("ANALYZE TABLE notifications")


MANY_ROWS = Schema("notify_many_rows", create_many_rows)


@pytest.fixture
async def many_rows(with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(with_tables(MANY_ROWS))
    yield database
    await database.dispose()


@pytest.fixture
def reads(many_rows: Database) -> Iterator[Reads]:
    found, engine = Reads(), many_rows.engine.sync_engine
    is_sqlite = many_rows.engine.dialect.name == "sqlite"

    def is_query(statement: str) -> bool:
        return statement.startswith("SELECT") and "FROM notifications" in statement

    def before(
        connection: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_rest: object
    ) -> None:
        if is_query(statement) and is_sqlite:
            (plan, *_) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.ranges.append(str(plan[3]).rpartition(" (")[2].removesuffix(")"))
        elif is_query(statement):
            connection.exec_driver_sql("FLUSH STATUS")

    def after(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if is_query(statement) and not is_sqlite:
            counters = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'", ())
            found.rows.append(sum(int(value) for _, value in counters))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    yield found
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)


class TestFingerprint:
    def test_fingerprint_stays_when_a_release_adds_an_optional_field(self) -> None:
        class Next(EmailNotificationIn):
            colour: str | None = None
            labels: list[str] = Field(default_factory=list)

        body = {"channel": "email", "to": {"email": "a@b.test"}, "content": {"subject": "x", "text": "y"}}
        now, later = EmailNotificationIn.model_validate(body), Next.model_validate(body)
        assert fingerprint(now) == fingerprint(later)
        assert fingerprint(now) != fingerprint(Next.model_validate(body | {"colour": "red"}))


class TestTimeline:
    async def test_a_long_timeline_keeps_the_newest_entries_in_order(self, database: Database) -> None:
        one = await email_row(user_id=USER).save()
        service = Notifications(database, {}, everyone_is_live=False, timeline_limit=5)
        attempts = range(8)
        await NotificationEvent.bulk_create(
            [{"notification_id": one.id, "status": "sending", "attempt": attempt} for attempt in attempts]
        )
        _, timeline = await service.find_with_timeline(one.id, Principal("user", USER))
        assert [entry.attempt for entry in timeline] == [3, 4, 5, 6, 7]


class TestListPage:
    async def test_list_page_continues_after_the_previous_page(self, database: Database) -> None:
        service = Notifications(database, {}, everyone_is_live=False)
        ids = [(await email_row(user_id=USER).save()).id for _ in range(5)]
        first, after = await service.list_page(Principal("user", USER), Filters(), limit=3, after=None)
        second, end = await service.list_page(Principal("user", USER), Filters(), limit=3, after=after)
        assert [one.id for one in (*first, *second)] == ids[::-1]
        assert end is None

    @pytest.mark.parametrize("sees_all", [False, True])
    @pytest.mark.parametrize(
        "filters",
        [
            Filters(),
            Filters(status="failed"),
            Filters(channel="email"),
            Filters(topic="billing"),
            Filters(recipient="someone@example.com"),
            Filters(recipient="someone@example.com", status="failed"),
        ],
    )
    async def test_list_page_reads_no_more_rows_at_a_later_page(
        self, many_rows: Database, reads: Reads, filters: Filters, sees_all: bool
    ) -> None:
        service = Notifications(many_rows, {}, everyone_is_live=False)
        ids = await Notification.filter_by(user_id=USER).order_by("id").pluck("id")
        principal = Principal("user", USER, sees_all=sees_all)
        reads.rows.clear()
        reads.ranges.clear()
        for after in (None, ids[-10], ids[1500], ids[50]):
            page, _ = await service.list_page(principal, filters, limit=10, after=after)
            assert len(page) == 10
        assert max(reads.rows, default=0) < 200
        assert all("id<?" in columns for columns in reads.ranges[1:])


class TestSubmit:
    async def test_no_statement_has_many_large_contents_when_they_arrive_together(
        self, database: Database, settings: NotifySettings
    ) -> None:
        """MySQL breaks the connection at a statement over `max_allowed_packet`: every submission in it would fail."""
        sent: list[int] = []

        def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
            if statement.startswith("INSERT INTO notifications "):
                sent.append(len(str(parameters)))

        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        service = Notifications(database, create_channels(settings), everyone_is_live=True)
        body = {
            "channel": "email",
            "to": {"email": "a@example.com"},
            "content": {"subject": "x", "text": "x" * 400_000},
        }
        request = EmailNotificationIn.model_validate(body)
        principal = Principal("user:1", USER)
        await asyncio.gather(*(service.submit(request, principal, idempotency_key=None) for _ in range(5)))
        assert len(sent) == 3
        assert max(sent) < 1_000_000
        assert await Notification.row_count() == await NotificationEvent.row_count() == 5
