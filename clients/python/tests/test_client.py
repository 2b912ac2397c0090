"""The clients against the real notify service."""

import asyncio

import httpx
import pytest

from bongsu_client import ApiError, AsyncBongsuClient, BongsuClient, Retries, UnexpectedAnswer, Unreachable
from clients.python.tests.conftest import ACCESS_KEY, BODY, Api, Disturbed, Fault, listening
from shared.tests.identity.seeds import SECRET


def lose(_: httpx.Response) -> httpx.Response:
    raise httpx.ReadError("the connection was lost")


def busy(_: httpx.Response) -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": "0"})


def limited(_: httpx.Response) -> httpx.Response:
    return httpx.Response(429, headers={"Retry-After": "0"})


class TestAsyncBongsuClient:
    async def test_notification_is_sent_found_listed_and_cancelled(self, api: Api) -> None:
        async with api.client() as client:
            sent = [await client.send(BODY) for _ in range(3)]
            detail = await client.get(sent[0]["id"])
            assert (detail["to"]["email"], detail["timeline"][0]["status"]) == ("kim@example.com", "accepted")
            listed = [notification["id"] async for notification in client.iterate(page_size=2, channel="email")]
            assert listed == [notification["id"] for notification in reversed(sent)]
            assert [notification async for notification in client.iterate(status="delivered")] == []
            assert (await client.cancel(sent[0]["id"]))["status"] == "cancelled"

    async def test_notification_is_sent_once_when_the_idempotency_key_is_the_same(self, api: Api) -> None:
        async with api.client() as client:
            first = await client.send(BODY, idempotency_key="order-1")
            assert (await client.send(BODY, idempotency_key="order-1"))["id"] == first["id"]

    async def test_error_has_code_and_fields_when_the_api_refuses(self, api: Api) -> None:
        async with api.client() as client:
            with pytest.raises(ApiError) as refused:
                await client.send({**BODY, "to": {"email": "no address"}})
            assert (refused.value.status, refused.value.errors[0][0]) == (422, "body.to.email")
            assert refused.value.request_id
            sent = await client.send(BODY)
            with pytest.raises(ApiError) as refused:
                await client.retry(sent["id"])
            assert refused.value.status == 409

    async def test_id_is_quoted_in_the_path(self, api: Api) -> None:
        async with api.client() as client:
            with pytest.raises(ApiError) as refused:
                await client.get("../../auth/me?x#y")
        assert refused.value.status in {404, 422}

    async def test_error_is_raised_when_the_secret_is_wrong(self, api: Api) -> None:
        async with api.client(secret_key="bsk_wrong") as client:
            with pytest.raises(ApiError) as refused:
                await client.send(BODY)
        assert (refused.value.status, refused.value.code) == (401, "signature_refused")

    async def test_error_is_raised_when_another_server_answers(self) -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, html="<p>Welcome</p>"))
        async with AsyncBongsuClient("http://localhost", ACCESS_KEY, SECRET, transport=transport) as client:
            with pytest.raises(UnexpectedAnswer):
                await client.send(BODY)


class TestRepeatedRequests:
    @pytest.mark.parametrize("fault", [lose, busy, limited])
    async def test_notification_is_sent_once_when_answers_are_lost(self, api: Api, fault: Fault) -> None:
        transport = Disturbed(api.transport, fault, fault)
        async with api.client(transport=transport) as client:
            sent = await client.send(BODY)
            assert [notification["id"] async for notification in client.iterate()] == [sent["id"]]
        attempts = transport.sent_headers[:3]
        assert len({headers["Idempotency-Key"] for headers in attempts}) == 1
        assert len({headers["Signature"] for headers in attempts}) == 3

    async def test_error_is_raised_when_every_attempt_fails(self, api: Api) -> None:
        transport = Disturbed(api.transport, *[busy] * 9)
        async with api.client(transport=transport, retries=Retries(attempts=3)) as client:
            with pytest.raises(ApiError, match="503"):
                await client.send(BODY)
        assert len(transport.sent_headers) == 3

    async def test_cancellation_is_not_repeated_when_its_answer_is_lost(self, api: Api) -> None:
        async with api.client() as client:
            sent = await client.send(BODY)
        transport = Disturbed(api.transport, lose)
        async with api.client(transport=transport) as client:
            with pytest.raises(Unreachable, match="the connection was lost"):
                await client.cancel(sent["id"])
            assert (await client.get(sent["id"]))["status"] == "cancelled"
        assert len(transport.sent_headers) == 2


class TestBongsuClient:
    async def test_notification_is_sent_found_listed_and_cancelled(self, api: Api) -> None:
        def use() -> None:
            with BongsuClient(api.url, ACCESS_KEY, SECRET) as client:
                sent = [client.send(BODY) for _ in range(3)]
                assert client.get(sent[0]["id"])["status"] == "accepted"
                listed = [notification["id"] for notification in client.iterate(page_size=2, to="kim@example.com")]
                assert listed == [notification["id"] for notification in reversed(sent)]
                assert client.cancel(sent[0]["id"])["status"] == "cancelled"
                with pytest.raises(ApiError) as refused:
                    client.retry(sent[1]["id"])
                assert refused.value.status == 409

        async with listening(api):
            await asyncio.to_thread(use)

    def test_error_is_raised_when_nothing_listens(self) -> None:
        with (
            BongsuClient("http://localhost:1", ACCESS_KEY, SECRET, retries=Retries(first_pause_s=0.001)) as client,
            pytest.raises(Unreachable, match="http://localhost:1"),
        ):
            client.get("x")

    def test_request_is_repeated_when_the_api_is_busy(self) -> None:
        answers = [
            httpx.Response(503, headers={"Retry-After": "0"}),
            httpx.Response(202, json={"id": "n", "status": "s"}),
        ]
        transport = httpx.MockTransport(lambda _: answers.pop(0))
        with BongsuClient("http://localhost", ACCESS_KEY, SECRET, transport=transport) as client:
            assert client.send(BODY)["id"] == "n"
