import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, event

from bongsu.contracts.queues import DELIVER
from bongsu.identity.models import AuditEntry, User
from bongsu.identity.scopes import Role, Scope
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.documentation import read_texts
from bongsu_notify.channels.registry import CHANNELS
from bongsu_notify.notifications.models import Notification, NotificationEvent, RetryKey
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import BODY, Api
from services.notify.tests.rows import email_row
from tests.openapi_texts import list_texts


class TestSubmit:
    async def test_submit_stores_the_notification_with_its_wake_up(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY)
        made = answer.json()
        assert (answer.status_code, made["status"]) == (202, "accepted")
        assert answer.headers["location"] == f"/v1/notifications/{made['id']}"
        rows = await Notification.filter_by(id=(made_id := UUID(made["id"]))).values_list(
            "recipient", "to", "subject", "content"
        )
        to = {"email": "someone@example.com", "name": "받는 이"}
        assert rows == [("someone@example.com", to, "안녕하세요 🔥", {"text": "봉수가 올랐습니다"})]
        assert made["to"] == to
        wake_up = await OutboxMessage.filter_by().one()
        assert (wake_up.queue, wake_up.body["notification_id"]) == (DELIVER["email"]["normal"], str(made_id))

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"colour": "red"}, ["body", "colour"]),
            ({"to": {"email": "nobody"}}, ["body", "to", "email"]),
            ({"to": {"email": "josé@example.com"}}, ["body", "to", "email"]),
            ({"to": {"email": "a@example.com", "cc": "x"}}, ["body", "to", "cc"]),
            ({"to": {"email": "a@example.com", "name": "a\r\nBcc: x@y.z"}}, ["body", "to", "name"]),
            ({"content": {"subject": "a\nb", "text": "x"}}, ["body", "content", "subject"]),
            ({"content": {"subject": "a"}}, ["body", "content"]),
            ({"content": {"subject": "", "text": "x"}}, ["body", "content", "subject"]),
            ({"content": {"subject": " \u3000", "text": "x"}}, ["body", "content", "subject"]),
            ({"content": {"subject": "\u200b\ufeff \u2060", "text": "x"}}, ["body", "content", "subject"]),
            ({"content": {"subject": "a", "text": " \n\u200b"}}, ["body", "content", "text"]),
            ({"content": {"subject": "\u3164\u2800", "text": "x"}}, ["body", "content", "subject"]),
            ({"content": {"subject": "a", "text": "x", "html": "\n"}}, ["body", "content", "html"]),
            ({"content": {"subject": "a", "text": "x" * 500_001}}, ["body", "content", "text"]),
            *(
                ({"to": {"email": "a@example.com", "name": f"a{control}b"}}, ["body", "to", "name"])
                for control in ("\x00", "\x7f", "\x85", "\x9b", "\u2028", "\u2029")
            ),
            ({"to": {"email": "a" * 65 + "@example.com"}}, ["body", "to", "email"]),
            ({"channel": "pigeon"}, ["body", "channel"]),
            ({"priority": "urgent"}, ["body", "priority"]),
            ({"send_at": "2020-13-01T00:00:00Z"}, ["body", "send_at"]),
            ({"send_at": "2026-01-01T00:00:00"}, ["body", "send_at"]),
            ({"send_at": "0001-01-01T00:00:00+14:00"}, ["body", "send_at"]),
            ({"send_at": 1_800_000_000}, ["body", "send_at"]),
            ({"send_at": "1800000000"}, ["body", "send_at"]),
            ({"send_at": "2027-01-01"}, ["body", "send_at"]),
            ({"expires_at": "9999-12-31T23:59:59-14:00"}, ["body", "expires_at"]),
            ({"topic": "Big News"}, ["body", "topic"]),
            ({"metadata": ["x"]}, ["body", "metadata"]),
        ],
    )
    async def test_submit_names_the_invalid_field_and_stores_nothing(
        self, api: Api, change: dict[str, object], field: list[str]
    ) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == field
        assert await Notification.row_count() == await OutboxMessage.row_count() == 0

    @pytest.mark.parametrize("channel", ["pigeon", 7])
    async def test_submit_names_the_channels_when_the_channel_is_unknown(self, api: Api, channel: object) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | {"channel": channel})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["loc"]) == (422, ["body", "channel"])
        assert all(repr(known.name) in error["msg"] for known in CHANNELS)

    @pytest.mark.parametrize(
        ("body", "loc", "message"),
        [
            ({"to": BODY["to"]}, ["body", "channel"], "Field required"),
            ([BODY], ["body"], "Input should be an object"),
        ],
    )
    async def test_submit_names_the_channel_when_it_is_missing(
        self, api: Api, body: object, loc: list[str], message: str
    ) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=body)
        assert (answer.status_code, answer.json()["errors"]) == (422, [{"loc": loc, "msg": message}])

    async def test_every_text_is_translated_and_no_translation_is_left_over(self, api: Api) -> None:
        async with api.client() as client:
            english, korean = [
                set(list_texts((await client.get(f"/v1/{name}")).json()))
                for name in ("openapi.json", "openapi.ko.json")
            ]
        assert {text for text in korean if not re.search("[가-힣]", text)} == set()
        assert read_texts("bongsu_notify", "openapi.ko.json").keys() - english == set()

    async def test_openapi_describes_the_request_of_each_channel(self, api: Api) -> None:
        async with api.client() as client:
            document = (await client.get("/v1/openapi.json")).json()
        content = document["paths"]["/v1/notifications"]["post"]["requestBody"]["content"]["application/json"]
        requests = content["schema"].get("anyOf", [content["schema"]])
        assert [request["$ref"].rpartition("/")[2] for request in requests] == [
            channel.request.__name__ for channel in CHANNELS
        ]
        assert "from" in document["components"]["schemas"]["EmailNotificationIn"]["properties"]

    @pytest.mark.parametrize("part", ["to", "from"])
    async def test_submit_names_the_limit_in_characters_when_a_name_is_too_long(self, api: Api, part: str) -> None:
        long = BODY | {part: {"email": "no-reply@bongsu.test", "name": "가" * 201}}
        async with await api.client_of("me@example.com") as client:
            (error,) = (await client.post("/v1/notifications", json=long)).json()["errors"]
        assert error["loc"] == ["body", part, "name"]
        assert error["msg"].endswith("characters")

    async def test_submit_accepts_send_at_when_it_passed_within_a_minute(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            at = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
            assert (await client.post("/v1/notifications", json=BODY | {"send_at": at})).status_code == 202

    async def test_submit_names_the_field_when_metadata_is_nested_deeply(self, api: Api) -> None:
        async def answer(depth: int) -> httpx.Response:
            raw = json.dumps(BODY)[:-1] + f', "metadata": {{"a": {"[" * depth}{"]" * depth}}}}}'
            return await client.post("/v1/notifications", content=raw, headers={"content-type": "application/json"})

        async with await api.client_of("me@example.com") as client:
            assert (await answer(15)).status_code == 202
            for depth in (16, 500):
                refused = await answer(depth)
                assert refused.json()["errors"] == [
                    {"loc": ["body", "metadata"], "msg": "must be nested at most 16 levels deep"}
                ]

    async def test_metadata_is_measured_as_utf_8_when_it_is_sent_escaped(self, api: Api) -> None:
        metadata = {"a": "봉" * 2_000}
        async with await api.client_of("me@example.com") as client:
            raw = json.dumps(BODY | {"metadata": metadata})
            answer = await client.post("/v1/notifications", content=raw, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["metadata"]) == (202, metadata)

    @pytest.mark.parametrize("value", ["NaN", '"\\ud800"', '"' + "x" * 9000 + '"', "1e999"])
    async def test_submit_refuses_metadata_when_json_cannot_carry_it(self, api: Api, value: str) -> None:
        raw = json.dumps(BODY)[:-1] + ', "metadata": {"a": %s}}'
        async with await api.client_of("me@example.com") as client:
            answer = await client.post(
                "/v1/notifications", content=raw % value, headers={"content-type": "application/json"}
            )
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["loc"] == ["body", "metadata"]

    async def test_submit_refuses_lone_surrogates(self, api: Api) -> None:
        half = "\ud83d"
        body = BODY | {
            "to": {"email": "a@example.com", "name": half},
            "from": {"email": "no-reply@bongsu.test", "name": half},
            "content": {"subject": half, "text": half, "html": half},
        }
        async with await api.client_of("me@example.com") as client:
            answer = await client.post(
                "/v1/notifications", content=json.dumps(body), headers={"content-type": "application/json"}
            )
        assert answer.status_code == 422, answer.text
        assert {tuple(error["loc"]) for error in answer.json()["errors"]} == {
            ("body", "to", "name"),
            ("body", "from", "name"),
            ("body", "content", "subject"),
            ("body", "content", "text"),
            ("body", "content", "html"),
        }

    @pytest.mark.parametrize(
        ("field", "at"),
        [
            ("expires_at", "2020-01-01T00:00:00Z"),
            ("expires_at", "9000-01-01T00:00:00Z"),
            ("send_at", "9000-01-01T00:00:00Z"),
            ("send_at", "2020-01-01T00:00:00Z"),
        ],
    )
    async def test_submit_names_the_time_when_it_is_out_of_range(self, api: Api, field: str, at: str) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | {field: at}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["body", field]
        assert await Notification.row_count() == 0

    async def test_submit_refuses_expires_at_before_send_at(self, api: Api) -> None:
        times = {"send_at": "2027-01-02T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z"}
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | times)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"loc": ["body", "expires_at"], "msg": "must be later than send_at"}]

    async def test_submit_keeps_the_wake_up_until_send_at(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | {"send_at": "2027-01-01T09:00:00+09:00"})
        assert answer.json()["send_at"] == "2027-01-01T00:00:00Z"
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(3600)).count() == 1

    async def test_submit_refuses_the_sender_when_the_address_is_not_the_operators(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.post("/v1/notifications", json=BODY | {"from": {"email": "ceo@bank.example"}})
        assert (answer.status_code, answer.json()["code"]) == (403, "sender_not_allowed")

    @pytest.mark.parametrize("name", ["봉수", "김" * 150, '"' * 150, "🔥" * 150, "김, 철수 <a@b.test>"])
    async def test_submit_accepts_any_name_for_the_operators_address(self, each_api: Api, name: str) -> None:
        async with await each_api.client_of("me@example.com") as client:
            sender = {"email": "No-Reply@bongsu.test", "name": name}
            answer = await client.post("/v1/notifications", json=BODY | {"from": sender})
        assert answer.status_code == 202
        kept = (await Notification.filter_by(id=UUID(answer.json()["id"])).one()).sender
        assert parseaddr(kept or "") == (name, "no-reply@bongsu.test")

    async def test_submit_answers_401_when_no_credential_is_sent(self, api: Api) -> None:
        async with api.client() as client:
            answer = await client.post("/v1/notifications", json=BODY)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")

    async def test_submit_answers_403_when_the_key_lacks_the_scope(self, api: Api) -> None:
        user = await api.user("me@example.com")
        async with api.client(await make_key(user, api.vault, scopes="notifications:read")) as client:
            answer = await client.post("/v1/notifications", json=BODY)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


class TestTrial:
    async def test_trial_account_sends_only_to_itself_and_to_the_simulator(self, api: Api) -> None:
        async with await api.client_of("me@example.com", sending="trial") as client:
            codes = [
                (await client.post("/v1/notifications", json=BODY | {"to": {"email": to}})).status_code
                for to in ("someone@example.com", "me@example.com", "delivered@simulator.bongsu.test")
            ]
        assert codes == [403, 202, 202]

    async def test_trial_ends_when_the_account_is_approved(self, api: Api) -> None:
        async with await api.client_of("me@example.com", sending="trial") as client:
            before = await client.post("/v1/notifications", json=BODY)
            await User.filter_by(email_norm="me@example.com").update(sending="live")
            api.forget_keys()
            after = await client.post("/v1/notifications", json=BODY)
        assert (before.status_code, after.status_code) == (403, 202)

    async def test_test_key_sends_to_any_address_when_the_account_is_on_trial(self, api: Api) -> None:
        user = await api.user("me@example.com", sending="trial")
        async with api.client(await make_key(user, api.vault, mode="test")) as client:
            answer = await client.post("/v1/notifications", json=BODY)
        assert (answer.status_code, answer.json()["mode"]) == (202, "test")


@pytest.fixture
def content_reads(database: Database) -> Iterator[list[str]]:
    """The statements that read content."""
    found: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        columns = re.split(r"\sFROM\s", statement, maxsplit=1)[0]
        if statement.startswith("SELECT") and re.search(r"\b(content|sealed_variables)\b", columns):
            found.append(statement)

    yield found
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


class TestContent:
    """Content may take megabytes, and a page has hundreds of notifications."""

    async def test_endpoints_read_no_content(self, api: Api, content_reads: list[str]) -> None:
        once = {"Idempotency-Key": "once"}
        async with await api.client_of("me@example.com") as client:
            made = [(await client.post("/v1/notifications", json=BODY, headers=once)).json()["id"] for _ in range(2)]
            assert (await client.get("/v1/notifications")).json()["items"]
            assert (await client.get(f"/v1/notifications/{made[0]}")).status_code == 200
            assert (await client.post(f"/v1/notifications/{made[0]}/cancel")).status_code == 200
            await Notification.filter_by(status="cancelled").update(status="failed")
            assert (await client.post(f"/v1/notifications/{made[0]}/retry")).status_code == 202
        assert content_reads == []


class TestDetail:
    async def test_detail_returns_the_timeline(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY | {"metadata": {"주문": 7}})).json()
            shown = (await client.get(f"/v1/notifications/{made['id']}")).json()
        assert shown["metadata"] == {"주문": 7}
        assert [(step["status"], step["attempt"]) for step in shown["timeline"]] == [("accepted", 0)]
        assert shown["created_at"].endswith("Z")

    async def test_notification_is_404_when_it_belongs_to_another_user(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
        async with await api.client_of("other@example.com") as client:
            for answer in (
                await client.get(f"/v1/notifications/{made['id']}"),
                await client.post(f"/v1/notifications/{made['id']}/cancel"),
                await client.post(f"/v1/notifications/{made['id']}/restore"),
                await client.post(f"/v1/notifications/{made['id']}/retry"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "notification_not_found")

    async def test_notification_is_404_when_a_key_of_staff_asks_for_another_users(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
        async with await api.client_of("staff@example.com", role=Role.STAFF.value) as client:
            assert (await client.get(f"/v1/notifications/{made['id']}")).status_code == 404

    async def test_content_is_returned_to_the_owner_alone(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            content = (await client.get(f"/v1/notifications/{made['id']}/content")).json()
        assert content == {"subject": "안녕하세요 🔥", "content": {"text": "봉수가 올랐습니다"}}
        async with await api.client_of("other@example.com") as client:
            assert (await client.get(f"/v1/notifications/{made['id']}/content")).status_code == 404

    async def test_content_of_a_template_is_null(self, api: Api) -> None:
        user = await api.user("me@example.com")
        one = await email_row(user_id=user.id, template="welcome", content=None, sealed_variables="sealed").save()
        async with api.client(await make_key(user, api.vault)) as client:
            content = (await client.get(f"/v1/notifications/{one.id}/content")).json()
        assert content["content"] is None

    async def test_detail_hides_sealed_variables(self, api: Api) -> None:
        user = await api.user("me@example.com")
        row = email_row(user_id=user.id, template="verify-email", content=None, sealed_variables="k1.sealed-secret")
        one = await row.save()
        async with api.client(await make_key(user, api.vault)) as client:
            assert "sealed" not in (await client.get(f"/v1/notifications/{one.id}")).text


class TestQuery:
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", ""), ("POST", "/cancel"), ("POST", "/restore"), ("POST", "/retry")]
    )
    async def test_unknown_parameter_is_named(self, api: Api, method: str, path: str) -> None:
        async with await api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            answer = await client.request(method, f"/v1/notifications/{made['id']}{path}?verbose=1")
            submitted = await client.post("/v1/notifications?dry_run=1", json=BODY)
        for refused, name in ((answer, "verbose"), (submitted, "dry_run")):
            assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", name])
        assert await Notification.filter_by(status="accepted").count() == 1

    async def test_unknown_parameter_is_named_by_every_route(self, api: Api) -> None:
        scopes = " ".join(Scope)
        user = await api.user("me@example.com")
        async with api.client(await make_key(user, api.vault, scopes=scopes)) as client:
            paths = (await client.get("/v1/openapi.json")).json()["paths"]
            routes = [(method, path) for path, methods in paths.items() for method in methods]
            for method, path in routes:
                answer = await client.request(method, f"{re.sub('{.+?}', str(user.id), path)}?staus=failed", json={})
                named = [error["loc"] for error in answer.json().get("errors", [])]
                assert (answer.status_code, ["query", "staus"] in named) == (422, True), (method, path)
        assert len(routes) > 10

    async def test_openapi_has_query_parameters_for_the_list_and_the_statistics_alone(self, api: Api) -> None:
        async with api.client() as client:
            paths = (await client.get("/v1/openapi.json")).json()["paths"]
        names = {
            (path, method): [item["name"] for item in operation.get("parameters", []) if item["in"] == "query"]
            for path, methods in paths.items()
            for method, operation in methods.items()
        }
        listing = names.pop(("/v1/notifications", "get"))
        filters = ["status", "scheduled", "channel", "topic", "to", "q"]
        assert listing == ["since", "until", *filters, "limit", "after"]
        assert names.pop(("/v1/notifications/counts", "get")) == ["since", "until"]
        assert names.pop(("/v1/suppressions", "get")) == ["recipient", "limit", "after"]
        assert names.pop(("/v1/subscriptions", "get")) == ["guild_id", "topic", "limit", "after"]
        assert names.pop(("/v1/stats", "get")) == ["from", "to", "bucket"]
        assert not any(names.values())


class TestCancel:
    async def test_cancel_changes_a_waiting_notification_once(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY | {"send_at": "2027-01-01T00:00:00Z"})).json()
            for _ in range(2):
                answer = await client.post(f"/v1/notifications/{made['id']}/cancel")
                assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert await NotificationEvent.filter_by(status="cancelled").count() == 1
        assert await AuditEntry.filter_by(action="notification.cancelled").count() == 1

    async def test_cancel_answers_409_when_the_notification_is_being_sent(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            await Notification.filter_by(status="accepted").update(status="sending")
            answer = await client.post(f"/v1/notifications/{made['id']}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_cancellable")


class TestRetry:
    async def test_retry_queues_a_failed_notification(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            await Notification.filter_by(status="accepted").update(status="failed", attempt=8, error_code="x")
            await OutboxMessage.filter_by(lane__ge=0).delete()
            answer = await client.post(f"/v1/notifications/{made['id']}/retry")
        assert (answer.status_code, answer.json()["status"], answer.json()["attempt"]) == (202, "queued", 8)
        assert await OutboxMessage.row_count() == 1
        entry = await AuditEntry.filter_by(action="notification.retried").one()
        assert (entry.actor_id, entry.target) == (entry.subject_id, f"notification:{made['id']}")
        assert entry.actor_key_id is not None

    async def test_retry_answers_409_when_the_notification_was_sent(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY)).json()
            await Notification.filter_by(status="accepted").update(status="sent")
            answer = await client.post(f"/v1/notifications/{made['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_retryable")

    async def test_retry_answers_409_when_an_at_most_once_notification_may_have_been_sent(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = (await client.post("/v1/notifications", json=BODY | {"guarantee": "at-most-once"})).json()
            await Notification.filter_by(status="accepted").update(status="failed", error_code="outcome_unknown")
            answer = await client.post(f"/v1/notifications/{made['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "may_send_twice")

    @staticmethod
    async def _make_failed(client: httpx.AsyncClient, **headers: str) -> str:
        """Make a failed notification."""
        made = str((await client.post("/v1/notifications", json=BODY, headers=headers)).json()["id"])
        await Notification.filter_by(id=UUID(made)).update(status="failed")
        return made

    async def test_retry_happens_once_when_the_key_repeats(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = await self._make_failed(client)
            answers = await asyncio.gather(
                *(client.post(f"/v1/notifications/{made}/retry", headers={"Idempotency-Key": "k"}) for _ in range(10))
            )
            assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(202, made)}
            await Notification.filter_by(id=UUID(made)).update(status="failed")
            again = await client.post(f"/v1/notifications/{made}/retry", headers={"Idempotency-Key": "k"})
            assert (again.status_code, again.json()["status"]) == (202, "failed")
            other = await client.post(f"/v1/notifications/{made}/retry", headers={"Idempotency-Key": "l"})
            assert (other.status_code, other.json()["status"]) == (202, "queued")
        assert await NotificationEvent.filter_by(status="queued").count() == 2

    async def test_retry_answers_422_when_the_key_was_used_for_another_request(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            first, second = (
                await self._make_failed(client),
                await self._make_failed(client, **{"Idempotency-Key": "made"}),
            )
            used = {"Idempotency-Key": "retried"}
            assert (await client.post(f"/v1/notifications/{first}/retry", headers=used)).status_code == 202
            answers = [
                await client.post(f"/v1/notifications/{second}/retry", headers=used),
                await client.post(f"/v1/notifications/{second}/retry", headers={"Idempotency-Key": "made"}),
                await client.post("/v1/notifications", json=BODY, headers=used),
            ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
            (422, "idempotency_mismatch")
        ] * 3
        assert (await Notification.get(UUID(second))).status == "failed"

    async def test_retry_accepts_the_key_again_when_a_day_passed(self, each_api: Api) -> None:
        once = {"Idempotency-Key": "once"}
        async with await each_api.client_of("me@example.com") as client:
            for made in (await self._make_failed(client), await self._make_failed(client)):
                assert (await client.post(f"/v1/notifications/{made}/retry", headers=once)).status_code == 202
                await RetryKey.filter_by(idempotency_key="once").update(created_at=utc_now(-25 * 3600))
        assert await RetryKey.row_count() == 1
