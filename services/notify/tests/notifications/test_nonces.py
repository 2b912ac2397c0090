"""A signed request works once, whatever its answer."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from bongsu.identity.models import RequestNonce
from bongsu.identity.signatures import RequestSigner
from bongsu_notify.notifications.models import Notification
from services.notify.tests.keys import make_key
from services.notify.tests.notifications.api import BODY, URL, Api


async def _signer(api: Api, scopes: str = "notifications:write") -> RequestSigner:
    return await make_key(await api.user("me@example.com"), api.vault, scopes=scopes)


def _signed(signer: RequestSigner, body: Mapping[str, object], query: str = "") -> httpx.Request:
    request = httpx.Request("POST", f"{URL}/v1/notifications{query}", json=body)
    signer.sign(request)
    return request


class TestNonce:
    @pytest.mark.parametrize(
        ("body", "query", "scopes", "status"),
        [
            (BODY, "", "notifications:write", 202),
            (BODY | {"channel": "pigeon"}, "", "notifications:write", 422),
            (BODY | {"send_at": "2020-01-01T00:00:00Z"}, "", "notifications:write", 422),
            (BODY | {"from": {"email": "other@example.com"}}, "", "notifications:write", 403),
            (BODY, "?stauts=sent", "notifications:write", 422),
            (BODY, "", "notifications:read", 403),
        ],
        ids=["accepted", "invalid body", "past time", "foreign sender", "unknown query", "missing scope"],
    )
    async def test_nonce_is_spent_whatever_the_answer(
        self, each_api: Api, body: Mapping[str, object], query: str, scopes: str, status: int
    ) -> None:
        request = _signed(await _signer(each_api, scopes), body, query)
        async with each_api.client() as client:
            answers = [await client.send(request) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status, 401]
        assert await RequestNonce.row_count() == 1
        assert await Notification.row_count() == (status == 202)

    async def test_nonce_is_spent_when_the_key_is_refused(self, each_api: Api) -> None:
        signer = await _signer(each_api)
        request = _signed(signer, BODY | {"priority": "high"})
        async with each_api.client(signer) as client:
            request.headers["Idempotency-Key"] = "once"
            await client.post("/v1/notifications", json=BODY, headers={"Idempotency-Key": "once"})
        async with each_api.client() as client:
            answers = [await client.send(request) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [422, 401]

    async def test_one_request_is_accepted_when_copies_arrive_together(self, each_api: Api) -> None:
        request = _signed(await _signer(each_api), BODY)
        async with each_api.client() as client:
            answers = await asyncio.gather(*(client.send(request) for _ in range(30)))
        assert sorted(answer.status_code for answer in answers) == [202, *[401] * 29]
        assert await Notification.row_count() == 1

    async def test_one_request_is_answered_when_refused_copies_arrive_together(self, each_api: Api) -> None:
        request = _signed(await _signer(each_api), BODY | {"channel": "pigeon"})
        async with each_api.client() as client:
            answers = await asyncio.gather(*(client.send(request) for _ in range(30)))
        assert sorted(answer.status_code for answer in answers) == [*[401] * 29, 422]

    async def test_others_are_accepted_when_a_copy_shares_their_transaction(self, each_api: Api) -> None:
        signer = await _signer(each_api)
        copied = _signed(signer, BODY)
        requests = [copied, *(_signed(signer, BODY) for _ in range(10)), copied]
        async with each_api.client() as client:
            answers = await asyncio.gather(*(client.send(request) for request in requests))
        assert sorted(answer.status_code for answer in answers) == [*[202] * 11, 401]
        assert await Notification.row_count() == 11
