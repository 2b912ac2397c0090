"""`/v1/suppressions` and `/v1/feedback/ses` from outside."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from services.notify.tests.feedback.signing import body, sign
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import Api, serve_api

LIST = "/v1/suppressions"


@pytest.fixture
async def api(each_database: Database, vault: Vault) -> AsyncIterator[Api]:
    async for one in serve_api(each_database, vault):
        yield one


async def client_of(api: Api, email: str) -> httpx.AsyncClient:
    scopes = "suppressions:read suppressions:write"
    return api.client(await make_key(await api.user(email), api.vault, scopes=scopes))


class TestSuppressions:
    async def test_owner_adds_lists_and_removes_and_others_see_nothing(self, api: Api) -> None:
        owner, other = await client_of(api, "owner@example.com"), await client_of(api, "other@example.com")
        async with owner, other:
            added = await owner.post(LIST, json={"recipient": "Gone@Example.com"})
            assert (added.status_code, added.json()["reason"]) == (201, "manual")
            repeated = await owner.post(LIST, json={"recipient": "Gone@example.com"})
            assert repeated.json()["id"] == added.json()["id"]
            await owner.post(LIST, json={"recipient": "second@example.com"})
            first = (await owner.get(LIST, params={"limit": 1})).json()
            assert [item["recipient"] for item in first["items"]] == ["second@example.com"]
            rest = (await owner.get(LIST, params={"after": first["next"]})).json()
            assert [item["id"] for item in rest["items"]] == [added.json()["id"]]
            assert rest["next"] is None
            assert (await other.get(LIST)).json()["items"] == []
            address = f"{LIST}/{added.json()['id']}"
            assert (await other.delete(address)).json()["code"] == "suppression_not_found"
            assert (await owner.delete(address)).status_code == 204
            assert (await owner.delete(address)).status_code == 404

    @pytest.mark.parametrize("sent", [{}, {"recipient": "none"}, {"recipient": "a@b.c", "reason": "bounce"}, []])
    async def test_bad_input_is_422(self, api: Api, sent: object) -> None:
        async with await client_of(api, "owner@example.com") as client:
            assert (await client.post(LIST, json=sent)).status_code == 422


class TestFeedback:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"", 422),
            (b"{}", 422),
            (b"\xff", 422),
            (b"[" * 50_000, 422),
            (body(sign()), 403),
            (b"x" * 600_000, 413),
        ],
    )
    async def test_message_that_is_not_of_sns_is_refused(self, api: Api, sent: bytes, status: int) -> None:
        async with api.client() as client:
            answer = await client.post("/v1/feedback/ses", content=sent)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
