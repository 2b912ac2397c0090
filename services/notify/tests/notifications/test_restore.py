from datetime import UTC, datetime
from uuid import UUID

import pytest

from bongsu.identity.models import AuditEntry
from bongsu.outbox.models import OutboxMessage
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.notifications.api import BODY, Api


class TestRestore:
    async def test_restore_has_a_cancelled_notification_wait_for_its_send_time_again(self, each_api: Api) -> None:
        at = "2027-01-01T00:00:00Z"
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY | {"send_at": at})).json()
            await client.post(f"/v1/notifications/{made['id']}/cancel")
            await Notification.filter_by(status="cancelled").update(attempt=8, error_code="x", error_detail="y")
            await OutboxMessage.filter_by(lane__ge=0).delete()
            for _ in range(2):
                answer = await client.post(f"/v1/notifications/{made['id']}/restore")
                assert (answer.status_code, answer.json()["status"], answer.json()["send_at"]) == (200, "accepted", at)
        row = await Notification.get(UUID(made["id"]))
        assert (row.attempts_before, row.next_attempt_at, row.error_code, row.error_detail) == (8, None, None, None)
        assert [one.visible_at for one in await OutboxMessage.filter_by().all()] == [datetime(2027, 1, 1, tzinfo=UTC)]
        assert await NotificationEvent.filter_by(status="accepted").count() == 2
        assert await AuditEntry.filter_by(action="notification.restored").count() == 1

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"template": "welcome"}, "not_restorable"),
            ({"guarantee": "at-most-once", "error_code": "outcome_unknown"}, "may_send_twice"),
        ],
    )
    async def test_restore_answers_409_when_the_notification_may_not_be_sent(
        self, api: Api, values: dict[str, str], code: str
    ) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            await Notification.filter_by(status="accepted").update(status="cancelled", **values)
            answer = await client.post(f"/v1/notifications/{made['id']}/restore")
        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert await Notification.filter_by(status="cancelled").count() == 1
