import asyncio
from contextvars import Context
from uuid import UUID

import pytest

from bongsu.identity.models import User
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import OutboxMessage
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.notifications.idempotency import fingerprint
from bongsu_notify.notifications.models import Notification, NotificationEvent, RetryKey
from services.notify.tests.notifications.api import BODY, Api


class TestIdempotency:
    async def test_same_key_and_body_make_one_notification(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            answers = [
                await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"}) for _ in range(2)
            ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert await Notification.row_count() == await OutboxMessage.row_count() == 1

    async def test_body_counts_as_the_same_when_only_its_spelling_differs(self, each_api: Api) -> None:
        other = {**dict(reversed(BODY.items())), "priority": "normal"}
        async with await each_api.client_of("me@example.com") as client:
            first = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            second = await client.post("/v1/notifications", json=other, headers={"Idempotency-Key": "once"})
        assert first.json()["id"] == second.json()["id"]

    async def test_key_is_refused_when_the_body_differs(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            answer = await client.post(
                "/v1/notifications", json=BODY | {"priority": "high"}, headers={"Idempotency-Key": "once"}
            )
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")

    async def test_keys_of_two_principals_are_independent(self, each_api: Api) -> None:
        ids = set()
        for email in ("a@example.com", "b@example.com"):
            async with await each_api.client_of(email) as client:
                answer = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
                ids.add(answer.json()["id"])
        assert len(ids) == 2

    async def test_one_notification_is_made_when_thirty_requests_arrive_together(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            answers = await asyncio.gather(
                *(client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"}) for _ in range(30))
            )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await Notification.row_count() == await OutboxMessage.row_count() == 1

    async def test_one_body_is_accepted_when_fifty_requests_of_two_bodies_arrive_together(self, each_api: Api) -> None:
        bodies = [BODY if number % 2 else BODY | {"priority": "high"} for number in range(50)]
        async with await each_api.client_of("me@example.com") as client:
            answers = await asyncio.gather(
                *(client.post("/v1/notifications", json=body, headers={"Idempotency-Key": "once"}) for body in bodies)
            )
        accepted = [answer.json() for answer in answers if answer.status_code == 202]
        refused = [answer.json()["code"] for answer in answers if answer.status_code == 422]
        assert (len(accepted), refused) == (25, ["idempotency_mismatch"] * 25)
        assert len({(made["id"], made["priority"]) for made in accepted}) == 1
        assert await Notification.row_count() == await NotificationEvent.row_count() == 1

    async def test_one_notification_is_made_when_old_keys_repeat_together(self, each_api: Api) -> None:
        once = {"Idempotency-Key": "once"}
        async with await each_api.client_of("me@example.com") as client:
            old = await client.post("/v1/notifications", json=BODY, headers=once)
            await Notification.filter_by(idempotency_key="once").update(created_at=utc_now(-25 * 3600))
            answers = await asyncio.gather(
                *(client.post("/v1/notifications", json=BODY, headers=once) for _ in range(20))
            )
        assert {answer.status_code for answer in answers} == {202}
        (made,) = {answer.json()["id"] for answer in answers}
        assert made != old.json()["id"]
        assert await Notification.row_count() == await OutboxMessage.row_count() == 2

    async def test_requests_are_all_accepted_when_one_of_many_concurrent_ones_is_refused(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "0"})
            answers = await asyncio.gather(
                *(
                    client.post(
                        "/v1/notifications", json=BODY | {"topic": "news"}, headers={"Idempotency-Key": str(number)}
                    )
                    for number in range(20)
                )
            )
        assert [answer.status_code for answer in answers] == [422, *[202] * 19]
        assert await Notification.row_count() == await OutboxMessage.row_count() == 20

    async def test_key_is_free_again_when_a_day_passed(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            first = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            await Notification.filter_by(idempotency_key="once").update(created_at=utc_now(-25 * 3600))
            second = await client.post(
                "/v1/notifications", json=BODY | {"priority": "high"}, headers={"Idempotency-Key": "once"}
            )
        assert second.status_code == 202
        assert first.json()["id"] != second.json()["id"]

    async def test_repeated_request_gets_its_notification_when_its_times_have_passed(self, each_api: Api) -> None:
        late = BODY | {"send_at": "2020-01-01T00:00:00Z", "expires_at": "2020-01-02T00:00:00Z"}
        async with await each_api.client_of("me@example.com") as client:
            first = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            # As if it had been this body, when its times lay ahead.
            made_from = fingerprint(EmailNotificationIn.model_validate(late))
            await Notification.filter_by(idempotency_key="once").update(fingerprint=made_from)
            second = await client.post("/v1/notifications", json=late, headers={"Idempotency-Key": "once"})
        assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])

    async def test_repeated_request_gets_its_notification_when_the_account_may_no_longer_send(
        self, each_api: Api
    ) -> None:
        async with await each_api.client_of("me@example.com") as client:
            first = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            await User.filter_by(email_norm="me@example.com").update(sending="trial")
            each_api.forget_keys()
            second = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
            third = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "another"})
        assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])
        assert third.status_code == 403

    async def test_one_succeeds_when_a_submission_and_a_retry_use_a_key_together(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            for number in range(12):
                failed = (await client.post("/v1/notifications", json=BODY)).json()["id"]
                await Notification.filter_by(id=UUID(failed)).update(status="failed")
                once = {"Idempotency-Key": f"key-{number}"}
                answers = await asyncio.gather(
                    client.post("/v1/notifications", json=BODY, headers=once),
                    client.post(f"/v1/notifications/{failed}/retry", headers=once),
                )
                assert sorted(answer.status_code for answer in answers) == [202, 422]
                is_retried = answers[1].status_code == 202
                assert (await Notification.get(UUID(failed))).status == ("queued" if is_retried else "failed")
                submitted = await Notification.filter_by(idempotency_key=once["Idempotency-Key"]).count()
                assert submitted == (not is_retried)

    @pytest.mark.parametrize("is_retry", [False, True], ids=["submission", "retry"])
    async def test_request_waits_for_the_other_use_of_its_key_when_that_is_not_committed(
        self, each_api: Api, each_database: Database, is_retry: bool
    ) -> None:
        async with await each_api.client_of("me@example.com") as client:
            failed = UUID((await client.post("/v1/notifications", json=BODY)).json()["id"])
            await Notification.filter_by(id=failed).update(status="failed")
            row = await Notification.get(failed)
            path = f"/v1/notifications/{failed}/retry" if is_retry else "/v1/notifications"
            request = client.post(path, json=None if is_retry else BODY, headers={"Idempotency-Key": "once"})
            used: dict[str, object] = {"principal": row.principal, "idempotency_key": "once"}
            async with each_database.unit():
                if is_retry:
                    used |= {"channel": "email", "recipient": "a@example.com", "to": {}, "fingerprint": "f"}
                    await Notification.bulk_create([used])
                else:
                    await RetryKey.bulk_create([used | {"notification_id": failed}])
                answering = asyncio.create_task(request, context=Context())
                await asyncio.wait([answering], timeout=0.5)
            answer = await answering
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")

    @pytest.mark.parametrize("key", ["", "two words", "x" * 256])
    async def test_unusable_key_is_named(self, each_api: Api, key: str) -> None:
        async with await each_api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": key})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["header", "idempotency-key"]
