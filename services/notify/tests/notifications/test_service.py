import asyncio

from pydantic import Field
from sqlalchemy import event

from bongsu.mixins import Database, uuid7
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.notifications.idempotency import fingerprint
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings
from services.notify.tests.rows import email_row

USER = uuid7()


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
