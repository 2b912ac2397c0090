import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from bongsu.mixins import Database, python_now, uuid7
from bongsu_notify.notifications.lists import Filters, NotificationLists, Period, first_id
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.stats import service as stats
from bongsu_notify.stats.schemas import StatsQuery
from services.notify.tests.rows import email_row
from tests.infrastructure.templates import Schema, WithTables

USER = uuid7()
LISTS = (
    Filters(),
    Filters(statuses=("failed",)),
    Filters(channel="email"),
    Filters(topic="billing"),
    Filters(recipient="someone@example.com"),
    Filters(search="someone@example.com"),
)


@dataclass
class Reads:
    """The rows that each query of notifications read (MySQL, MariaDB), or the columns of the range (SQLite)."""

    rows: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)


async def create_many_rows(database: Database) -> None:
    """Over 3,000 rows, of which one user has nearly all: enough for the optimiser to choose as it does on more."""
    await database.create_all()
    users = (USER if at % 50 else uuid7() for at in range(3000))
    rows = [email_row(user_id=user, status="failed", topic="billing") for user in users]
    first_at = python_now()
    for at, row in enumerate(rows):
        # A millisecond apart: a fast machine makes hundreds in one, and a period is no more exact than that.
        row.id = first_id(first_at + timedelta(milliseconds=at))
    await Notification.bulk_create(rows)
    if database.engine.dialect.name != "sqlite":
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql("ANALYZE TABLE notifications")
            # Statistics of a sample may take the table for smaller than this user's part of it.
            await connection.exec_driver_sql(
                "UPDATE mysql.innodb_table_stats SET n_rows = 2900"
                " WHERE database_name = DATABASE() AND table_name = 'notifications'"
            )
            await connection.commit()
            await connection.exec_driver_sql("FLUSH TABLES notifications")


def accepted_at(key: UUID) -> datetime:
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


MANY_ROWS = Schema("notify_many_rows", create_many_rows)


@pytest.fixture
async def many_rows(with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(with_tables(MANY_ROWS))
    yield database
    await database.dispose()


def _count_reads(connection: Connection, statement: str, parameters: tuple[object, ...]) -> int:
    """Run a query again, and return how many rows that reads: of the dictionary too, when MySQL opens the table."""
    with contextlib.closing(connection.connection.cursor()) as cursor:
        cursor.execute("FLUSH STATUS")
        cursor.execute(statement, parameters)
        cursor.fetchall()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


@pytest.fixture
def reads(many_rows: Database) -> Iterator[Reads]:
    found, engine = Reads(), many_rows.engine.sync_engine
    is_sqlite = many_rows.engine.dialect.name == "sqlite"

    def is_query(statement: str) -> bool:
        is_of_rows = statement.startswith("SELECT n") or "UNION ALL" in statement
        return statement.startswith("SELECT") and is_of_rows and "FROM notifications" in statement

    def before(
        connection: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_rest: object
    ) -> None:
        if is_query(statement) and is_sqlite:
            (plan, *_) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.ranges.append(str(plan[3]).rpartition(" (")[2].removesuffix(")"))

    def after(
        connection: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_rest: object
    ) -> None:
        if is_query(statement) and not is_sqlite:
            found.rows.append(min(_count_reads(connection, statement, parameters) for _ in range(2)))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    yield found
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)


class TestListPage:
    @pytest.mark.usefixtures("database")
    async def test_list_page_continues_after_the_previous_page(self) -> None:
        service = NotificationLists()
        ids = [(await email_row(user_id=USER).save()).id for _ in range(5)]
        first, after = await service.list_page(Principal("user", USER), Filters(), limit=3, after=None)
        second, end = await service.list_page(Principal("user", USER), Filters(), limit=3, after=after)
        assert [one.id for one in (*first, *second)] == ids[::-1]
        assert end is None

    @pytest.mark.parametrize("sees_all", [False, True])
    @pytest.mark.parametrize(
        "filters",
        [
            *LISTS,
            Filters(recipient="someone@example.com", statuses=("failed",)),
            Filters(statuses=("failed", "sent")),
            Filters(period=Period(python_now() - timedelta(days=1), python_now() + timedelta(days=1))),
        ],
    )
    @pytest.mark.usefixtures("many_rows")
    async def test_list_page_reads_no_more_rows_at_a_later_page(
        self, reads: Reads, filters: Filters, sees_all: bool
    ) -> None:
        service = NotificationLists()
        ids = await Notification.filter_by(user_id=USER).order_by("id").pluck("id")
        principal = Principal("user", USER, sees_all=sees_all)
        reads.rows.clear()
        reads.ranges.clear()
        for after in (None, ids[-10], ids[1500], ids[50]):
            page, _ = await service.list_page(principal, filters, limit=10, after=after)
            assert len(page) == 10
            if after is None:
                reads.ranges.clear()
        assert max(reads.rows, default=0) < 200
        assert all("id<?" in columns for columns in reads.ranges)

    @pytest.mark.parametrize("sees_all", [False, True])
    @pytest.mark.parametrize(
        "filters",
        [
            *LISTS,
            Filters(search="someone@example.com", scheduled=False),
        ],
    )
    @pytest.mark.usefixtures("many_rows")
    async def test_list_page_of_a_short_period_reads_no_more_than_the_page(
        self, reads: Reads, filters: Filters, sees_all: bool
    ) -> None:
        service = NotificationLists(window=20)
        principal = Principal("user", USER, sees_all=sees_all)
        ids = await Notification.filter_by(user_id=USER).order_by("id").pluck("id")
        period = Period(accepted_at(ids[1000]), accepted_at(ids[1100]))
        reads.rows.clear()
        page, _ = await service.list_page(principal, replace(filters, period=period), limit=10, after=None)
        assert len(page) == 10
        # MySQL 9.7 reads up to 6 more to plan a query.
        assert max(reads.rows, default=0) <= 20 + 10

    @pytest.mark.usefixtures("each_database")
    async def test_list_page_finds_a_notification_by_its_text_address_or_id(self) -> None:
        service = NotificationLists()
        one = await email_row(user_id=USER, subject="Receipt 100%", recipient="kim@example.com").save()
        two = await email_row(user_id=USER, subject="영수증", recipient="lee.kim@example.com").save()
        other = await email_row(user_id=uuid7(), subject="receipt", recipient="kim@example.com").save()
        principal = Principal("user", USER)
        for text, wanted in {
            "RECEIPT": [one],
            "100%": [one],
            "%": [one],
            "영수": [two],
            "Kim@": [two, one],
            "KIM@example.com": [one],
            f" {two.id} ": [two],
            str(other.id): [],
            "nothing": [],
        }.items():
            found, after = await service.list_page(principal, Filters(search=text), limit=10, after=None)
            assert ([row.id for row in found], after) == ([row.id for row in wanted], None), text

    @pytest.mark.usefixtures("many_rows")
    async def test_search_reads_a_bounded_number_of_rows_a_page_and_reaches_every_row(self, reads: Reads) -> None:
        service = NotificationLists(window=200)
        oldest = (await Notification.filter_by(user_id=USER).order_by("id").pluck("id"))[0]
        await Notification.filter_by(id=oldest).update(subject="needle")
        await service.list_page(Principal("user", USER), Filters(search="needle"), limit=10, after=None)
        for filters in (Filters(search="needle"), Filters(search="needle", statuses=("failed", "sent"))):
            reads.rows.clear()
            after, pages = None, 0
            while True:
                found, after = await service.list_page(Principal("user", USER), filters, limit=10, after=after)
                pages += 1
                if after is None:
                    break
                assert not found
            assert ([row.id for row in found], pages) == ([oldest], 15)
            # MySQL 9.7 reads up to 6 more to plan a query.
            assert max(reads.rows, default=0) <= 200 + 10
        await Notification.filter_by(id=oldest).update(subject=None)

    @pytest.mark.usefixtures("database")
    async def test_list_page_merges_statuses_newest_first(self) -> None:
        service = NotificationLists()
        statuses = ("failed", "bounced", "sent", "failed", "bounced")
        rows = [await email_row(user_id=USER, status=status).save() for status in statuses]
        filters = Filters(statuses=("failed", "bounced", "failed"))
        first, after = await service.list_page(Principal("user", USER), filters, limit=3, after=None)
        second, end = await service.list_page(Principal("user", USER), filters, limit=3, after=after)
        assert [row.id for row in (*first, *second)] == [rows[at].id for at in (4, 3, 1, 0)]
        assert end is None

    @pytest.mark.usefixtures("database")
    async def test_list_page_tells_scheduled_from_due(self) -> None:
        service = NotificationLists()
        ahead = await email_row(user_id=USER, send_at=python_now() + timedelta(hours=1)).save()
        due = [await email_row(user_id=USER).save(), await email_row(user_id=USER, send_at=python_now()).save()]
        for scheduled, wanted in ((True, [ahead]), (False, due[::-1]), (None, [*due[::-1], ahead])):
            filters = Filters(statuses=("accepted",), scheduled=scheduled)
            found, _ = await service.list_page(Principal("user", USER), filters, limit=10, after=None)
            assert [row.id for row in found] == [row.id for row in wanted]

    @pytest.mark.usefixtures("database")
    async def test_period_includes_its_start_and_excludes_its_end(self) -> None:
        service = NotificationLists()
        now = python_now().replace(microsecond=0)
        for hours in (1, 2, 3):
            await email_row(user_id=USER, id=first_id(now - timedelta(hours=hours))).save()
        period = Period(now - timedelta(hours=2), now - timedelta(hours=1))
        found, _ = await service.list_page(Principal("user", USER), Filters(period=period), limit=10, after=None)
        assert [row.id for row in found] == [first_id(now - timedelta(hours=2))]


class TestCounts:
    @pytest.mark.usefixtures("each_database")
    async def test_counts_are_by_status_of_what_the_principal_may_see(self) -> None:
        service = NotificationLists(count_limit=3)
        later = python_now() + timedelta(hours=1)
        due = python_now() - timedelta(minutes=9)
        for status, count in (("sent", 5), ("failed", 2)):
            await Notification.bulk_create([email_row(user_id=USER, status=status) for _ in range(count)])
        await email_row(user_id=USER, send_at=later).save()
        await email_row(user_id=USER, send_at=due).save()
        await email_row(user_id=uuid7(), status="bounced").save()
        mine = await service.count_statuses(Principal("user", USER), Period())
        assert {name: n for name, n in mine.counts.items() if n} == {"accepted": 2, "sent": 3, "failed": 2}
        assert mine.scheduled == 1
        assert mine.oldest_waiting is not None
        assert abs(mine.oldest_waiting - due) < timedelta(seconds=1)
        everyone = await service.count_statuses(Principal("user", USER, sees_all=True), Period())
        assert everyone.counts["bounced"] == 1
        past = await service.count_statuses(Principal("user", USER), Period(until=due))
        assert not any(past.counts.values())

    @pytest.mark.usefixtures("many_rows")
    async def test_counts_read_a_bounded_number_of_rows_in_one_statement(self, reads: Reads) -> None:
        service = NotificationLists(count_limit=20)
        counts = (await service.count_statuses(Principal("user", USER), Period())).counts
        assert (counts["failed"], counts["sent"]) == (20, 0)
        assert len(reads.rows or reads.ranges) == 1
        assert max(reads.rows, default=0) <= 80


class TestInUnit:
    async def test_reads_do_not_wait_for_the_unit_that_they_are_part_of(self, each_database: Database) -> None:
        principal, lists = Principal("user", USER), NotificationLists(window=1)
        await Notification.bulk_create([email_row(user_id=USER, subject="beacon")])
        async with each_database.unit():
            await Notification.filter_by(user_id=USER).update(topic="billing")
            page, _ = await lists.list_page(principal, Filters(search="beacon"), limit=1, after=None)
            assert len(page) == 1
            assert (await lists.count_statuses(principal, Period())).counts["accepted"] == 1
            later = StatsQuery.model_validate(
                {"to": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
            )  # keys may be ahead of the clock
            assert sum(bucket.total for bucket in await stats.count(later, USER)) == 1
