from collections.abc import Iterator
from uuid import UUID

import pytest
from pydantic import Field
from sqlalchemy import Connection, event

from bongsu.mixins import Database, uuid7
from bongsu_notify.notifications import service
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.schemas import NotificationIn
from bongsu_notify.notifications.service import Filters, Principal

USER = uuid7()


@pytest.fixture
def plans(database: Database) -> Iterator[list[str]]:
    """How SQLite went about each query of notifications."""
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
    def test_one_more_optional_field_in_the_next_release_changes_nothing(self) -> None:
        class Next(NotificationIn):
            colour: str | None = None
            labels: list[str] = Field(default_factory=list)

        body = {"channel": "email", "to": {"email": "a@b.test"}, "content": {"subject": "x", "text": "y"}}
        now, later = NotificationIn.model_validate(body), Next.model_validate(body)
        assert service.fingerprint(now) == service.fingerprint(later)
        assert service.fingerprint(now) != service.fingerprint(Next.model_validate(body | {"colour": "red"}))


@pytest.mark.usefixtures("database")
class TestTimeline:
    async def test_of_a_long_one_the_newest_steps_are_told_in_order(self) -> None:
        one = await Notification(principal="user", channel="email", recipient="a@example.com").save()
        attempts = range(service.TIMELINE_AT_MOST + 5)
        await NotificationEvent.bulk_create(
            [{"notification_id": one.id, "status": "sending", "attempt": attempt} for attempt in attempts]
        )
        assert [step.attempt for step in await service.timeline(one.id)] == [*attempts][5:]


@pytest.mark.usefixtures("database")
class TestListed:
    async def test_a_page_is_followed_by_the_next(self) -> None:
        ids = [await self._stored() for _ in range(5)]
        first, after = await service.listed(Principal("user", USER), Filters(), limit=3, after=None)
        second, end = await service.listed(Principal("user", USER), Filters(), limit=3, after=after)
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
    async def test_a_users_list_is_a_range_of_one_index(self, filters: Filters, columns: str, plans: list[str]) -> None:
        await service.listed(Principal("user", USER), filters, limit=50, after=None)
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
    async def test_the_staffs_list_is_too(self, filters: Filters, columns: str, plans: list[str]) -> None:
        await service.listed(Principal("user", USER, sees_all=True), filters, limit=50, after=None)
        (plan,) = plans
        assert plan.endswith(f"({columns})")

    async def _stored(self) -> UUID:
        one = await Notification(
            user_id=USER, principal="user", channel="email", recipient="someone@example.com", subject="안녕", text="t"
        ).save()
        return one.id
