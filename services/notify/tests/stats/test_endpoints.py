"""`GET /v1/stats`."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from bongsu.identity.key_source import current_signing_key, ensure_signing_key
from bongsu.identity.models import User
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import TokenIssuer, TokenSubject
from bongsu.mixins import uuid7
from bongsu_notify.notifications.models import Notification
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import URL, Api
from services.notify.tests.rows import email_row

START = datetime(2026, 11, 1, tzinfo=UTC)


def key_at(at: datetime) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | (uuid7().int & ((1 << 80) - 1)))


async def make(user: User, at: datetime, status: str) -> None:
    await email_row(id=key_at(at), user_id=user.id, status=status).save()


async def client_of(api: Api, user: User) -> httpx.AsyncClient:
    return api.client(await make_key(user, api.vault, scopes="stats:read"))


def period(days: int = 2) -> dict[str, str]:
    return {"from": START.isoformat(), "to": (START + timedelta(days=days)).isoformat(), "bucket": "day"}


class TestGetStats:
    async def test_stats_counts_the_own_notifications_of_each_day(self, each_api: Api) -> None:
        user, other = await each_api.user("me@example.com"), await each_api.user("other@example.com")
        await make(user, START, "sent")
        await make(user, START + timedelta(hours=23), "failed")
        await make(user, START + timedelta(days=1), "sent")
        await make(user, START + timedelta(days=2), "sent")
        await make(other, START, "sent")
        async with await client_of(each_api, user) as client:
            answer = await client.get("/v1/stats", params=period())
        counted = [(one["start"], one["total"], one["statuses"]) for one in answer.json()["items"]]
        assert counted == [
            ("2026-11-01T00:00:00Z", 2, {"sent": 1, "failed": 1}),
            ("2026-11-02T00:00:00Z", 1, {"sent": 1}),
        ]
        await ensure_signing_key(each_api.vault)
        subject = TokenSubject(other.id, uuid7(), Role.STAFF, SESSION_SCOPES, 0, ())
        token = TokenIssuer(URL).issue(await current_signing_key(each_api.vault), subject)
        async with each_api.client() as staff:
            answer = await staff.get("/v1/stats", params=period(), headers={"Authorization": f"Bearer {token}"})
        assert [one["total"] for one in answer.json()["items"]] == [3, 1]
        assert await Notification.row_count() == 5

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, ["query", "from"]),
            ({"from": "2026-01-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, ["query", "from"]),
            ({"from": "0001-01-01T00:00:00Z", "bucket": "day"}, ["query", "from"]),
            ({"to": "0001-01-01T00:00:00Z"}, ["query", "to"]),
            ({"from": "yesterday"}, ["query", "from"]),
            ({"bucket": "week"}, ["query", "bucket"]),
            ({"channel": "email"}, ["query", "channel"]),
        ],
    )
    async def test_a_wrong_query_names_the_field(self, api: Api, query: dict[str, str], field: list[str]) -> None:
        async with await client_of(api, await api.user("me@example.com")) as client:
            answer = await client.get("/v1/stats", params=query)
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, field)

    async def test_a_key_without_the_scope_is_refused(self, api: Api) -> None:
        async with await api.client_of("me@example.com") as client:
            answer = await client.get("/v1/stats")
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")

    async def test_the_last_moment_of_time_is_a_valid_end(self, api: Api) -> None:
        query = {"from": "9999-12-31T22:30:00Z", "to": "9999-12-31T23:59:59Z"}
        async with await client_of(api, await api.user("me@example.com")) as client:
            assert [one["total"] for one in (await client.get("/v1/stats", params=query)).json()["items"]] == [0, 0]
