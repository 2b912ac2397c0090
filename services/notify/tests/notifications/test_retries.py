"""`POST /v1/notifications/retry`: many by one request, by a filter or by IDs."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from bongsu.identity.models import AuditEntry, User
from bongsu.identity.scopes import Role
from bongsu.mixins import utc_now
from bongsu.outbox.models import OutboxMessage
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import BODY, Api
from services.notify.tests.rows import email_row

PATH = "/v1/notifications/retry"
ONCE = {"Idempotency-Key": "once"}


async def _failed(user: User, count: int, **values: object) -> Sequence[Notification]:
    given: dict[str, object] = {"user_id": user.id, "status": "failed", "attempt": 8, "error_code": "x"}
    rows = [email_row(**(given | values)) for _ in range(count)]
    await Notification.bulk_create(rows)
    return rows


async def _statuses(rows: Sequence[Notification]) -> list[str]:
    found = dict(await Notification.filter_by(id__in=[row.id for row in rows]).values_list("id", "status"))
    return [found[row.id] for row in rows]


class TestRetryNotifications:
    async def test_failed_ones_that_match_are_queued_with_wake_ups_and_entries(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        billing = await _failed(user, 3, topic="billing", expires_at=utc_now(-60))
        other = await _failed(user, 1)
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            answer = await client.post(PATH, json={"topic": "billing"})
        assert (answer.status_code, answer.json()) == (202, {"retried": 3, "next": None})
        assert await _statuses([*billing, *other]) == ["queued"] * 3 + ["failed"]
        row = await Notification.get(billing[0].id)
        assert (row.attempt, row.attempts_before, row.expires_at, row.error_code) == (8, 8, None, None)
        woken = {body["notification_id"] for body in await OutboxMessage.filter_by(lane__ge=0).pluck("body")}
        assert woken == {str(one.id) for one in billing}
        assert await NotificationEvent.filter_by(status="queued", attempt=8).count() == 3
        entries = await AuditEntry.filter_by(action="notification.retried").pluck("target")
        assert sorted(entries) == sorted(f"notification:{one.id}" for one in billing)

    async def test_answer_continues_when_more_match_than_the_limit(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        rows = await _failed(user, 5)
        retried, after = [], None
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            while True:
                body = {"status": ["failed"], "limit": 2} | ({"after": after} if after else {})
                answer = (await client.post(PATH, json=body)).json()
                retried.append(answer["retried"])
                if (after := answer["next"]) is None:
                    break
        assert retried == [2, 2, 1]
        assert await _statuses(rows) == ["queued"] * 5

    async def test_request_that_is_repeated_retries_nothing_twice(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        await _failed(user, 3)
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            answers = [(await client.post(PATH, json={"status": ["failed"]})).json()["retried"] for _ in range(2)]
        assert answers == [3, 0]
        assert await OutboxMessage.row_count() == 3

    async def test_ids_retry_what_can_be_retried_among_them(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        failed = await _failed(user, 2)
        [expired] = await _failed(user, 1, status="expired")
        [sent] = await _failed(user, 1, status="sent")
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            ids = [str(one.id) for one in (failed[0], expired, sent)] + [str(uuid4())]
            answer = await client.post(PATH, json={"ids": ids})
        assert answer.json() == {"retried": 2, "next": None}
        assert await _statuses([*failed, expired, sent]) == ["queued", "failed", "queued", "sent"]

    async def test_notifications_that_may_not_be_sent_again_stay(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        twice = await _failed(user, 1, guarantee="at-most-once", error_code="outcome_unknown")
        wiped = await _failed(user, 1, template="welcome", content=None, sealed_variables=None)
        free = await _failed(user, 1, guarantee="at-most-once", error_code=None)
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            answer = await client.post(PATH, json={"status": ["failed"]})
        assert answer.json()["retried"] == 1
        assert await _statuses([*twice, *wiped, *free]) == ["failed", "failed", "queued"]

    async def test_others_are_retried_by_staff_alone(self, each_api: Api) -> None:
        rows = await _failed(await each_api.user("me@example.com"), 2)
        async with await each_api.client_of("other@example.com", role=Role.STAFF.value) as key_of_staff:
            assert (await key_of_staff.post(PATH, json={"status": ["failed"]})).json()["retried"] == 0
            ids = [str(row.id) for row in rows]
            assert (await key_of_staff.post(PATH, json={"ids": ids})).json()["retried"] == 0
        assert await _statuses(rows) == ["failed"] * 2
        assert await OutboxMessage.row_count() == 0

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "name the notifications"),
            ({"limit": 5}, "name the notifications"),
            ({"ids": []}, "must not be empty"),
            ({"ids": [str(uuid4())], "topic": "billing"}, "without other filters"),
            ({"status": ["sent"]}, "'failed' or 'expired'"),
            ({"ids": [str(uuid4())] * 501}, "500 items"),
            ({"topic": "billing", "limit": 501}, "less than or equal to 500"),
            ({"staus": ["failed"]}, "Unknown field"),
        ],
    )
    async def test_body_is_refused_when_it_names_no_valid_set(
        self, api: Api, body: dict[str, object], message: str
    ) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post(PATH, json=body)
        assert answer.status_code == 422
        assert message in answer.json()["errors"][0]["msg"]


class TestIdempotencyKey:
    async def test_repeated_request_gets_the_first_answer_and_retries_nothing_more(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        rows = await _failed(user, 3)
        body = {"status": ["failed"], "limit": 2}
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            answers = [(await client.post(PATH, json=body, headers=ONCE)).json() for _ in range(2)]
            assert answers[0]["retried"] == 2
            assert answers == [{"retried": 2, "next": str(rows[1].id)}] * 2
            assert await _statuses(rows) == ["failed", "queued", "queued"]
            none = {"topic": "none"}
            empty = [(await client.post(PATH, json=none, headers={"Idempotency-Key": "0"})).json() for _ in range(2)]
        assert empty == [{"retried": 0, "next": None}] * 2
        assert await OutboxMessage.row_count() == 2

    async def test_key_is_refused_when_another_request_used_it(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        first, second, _ = await _failed(user, 3)
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            await client.post(PATH, json={"ids": [str(first.id)]}, headers=ONCE)
            answers = [
                await client.post(PATH, json={"ids": [str(second.id)]}, headers=ONCE),
                await client.post(f"/v1/notifications/{first.id}/retry", headers=ONCE),
                await client.post("/v1/notifications", json=BODY, headers=ONCE),
            ]
            await client.post(f"/v1/notifications/{second.id}/retry", headers={"Idempotency-Key": "single"})
            await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "submission"})
            for key in ("single", "submission"):
                body = {"status": ["failed"]}
                answers.append(await client.post(PATH, json=body, headers={"Idempotency-Key": key}))
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
            (422, "idempotency_mismatch")
        ] * 5
        assert await _statuses([first, second]) == ["queued", "queued"]
        assert await Notification.filter_by(status="failed").count() == 1

    async def test_copies_that_arrive_together_retry_once(self, each_api: Api) -> None:
        user = await each_api.user("me@example.com")
        await _failed(user, 20)
        async with each_api.client(await make_key(user, each_api.vault)) as client:
            answers = await asyncio.gather(
                *(client.post(PATH, json={"status": ["failed"], "limit": 5}, headers=ONCE) for _ in range(8))
            )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1
        assert answers[0].json()["retried"] == 5
        assert await Notification.filter_by(status="queued").count() == await OutboxMessage.row_count() == 5
