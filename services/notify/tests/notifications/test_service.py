from collections.abc import Iterator
from uuid import UUID

import pytest
from pydantic import Field
from sqlalchemy import Connection, event

from bongsu.mixins import Database, uuid7
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.notifications.idempotency import fingerprint
from bongsu_notify.notifications.models import NotificationEvent
from bongsu_notify.notifications.service import Filters, Notifications, Principal
from services.notify.tests.rows import email_row

USER = uuid7()


@pytest.fixture
def service(database: Database) -> Notifications:
    return Notifications(database, {}, everyone_is_live=False)


@pytest.fixture
def plans(database: Database) -> Iterator[list[str]]:
    """SQLite's plan of each query of notifications."""
    found: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_rest: object
    ) -> None:
        if statement.startswith("SELECT") and "FROM notifications" in statement:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(str(row[3]) for row in rows)

    yield found
    event.remove(database.engine.sync_engine, "before_cursor_execute", explain)


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
    async def test_list_page_continues_after_the_previous_page(self, service: Notifications) -> None:
        ids = [await self._stored() for _ in range(5)]
        first, after = await service.list_page(Principal("user", USER), Filters(), limit=3, after=None)
        second, end = await service.list_page(Principal("user", USER), Filters(), limit=3, after=after)
        assert [one.id for one in (*first, *second)] == ids[::-1]
        assert end is None

    @pytest.mark.parametrize(
        ("filters", "columns"),
        [
            (Filters(), "user_id=?"),
            (Filters(status="failed"), "user_id=? AND status=?"),
            (Filters(channel="email"), "user_id=? AND channel=?"),
            (Filters(topic="billing"), "user_id=? AND topic=?"),
            (Filters(recipient="someone@example.com"), "user_id=? AND recipient=?"),
        ],
    )
    async def test_list_of_a_user_reads_a_range_of_one_index(
        self, service: Notifications, filters: Filters, columns: str, plans: list[str]
    ) -> None:
        await service.list_page(Principal("user", USER), filters, limit=50, after=None)
        (plan,) = plans
        assert plan.endswith(f"({columns})")

    @pytest.mark.parametrize(
        ("filters", "columns"),
        [
            (Filters(status="failed"), "status=?"),
            (Filters(channel="email"), "channel=?"),
            (Filters(topic="billing"), "topic=?"),
            (Filters(recipient="someone@example.com"), "recipient=?"),
        ],
    )
    async def test_list_of_staff_reads_a_range_of_one_index(
        self, service: Notifications, filters: Filters, columns: str, plans: list[str]
    ) -> None:
        await service.list_page(Principal("user", USER, sees_all=True), filters, limit=50, after=None)
        (plan,) = plans
        assert plan.endswith(f"({columns})")

    async def _stored(self) -> UUID:
        return (await email_row(user_id=USER).save()).id
