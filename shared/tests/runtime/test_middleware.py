from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from fastapi import Request
from structlog.testing import capture_logs

from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(title="Kitchen", version="1", prefix="/kitchen", metrics=Metrics("kitchen"))

    @app.get("/fields")
    async def fields(request: Request) -> list[tuple[str, str]]:
        return request.headers.items()

    @app.get("/cookies")
    async def cookies(request: Request) -> dict[str, str]:
        return request.cookies

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://kitchen") as client:
        yield client


def _twice(name: str, values: Sequence[str] = ("one", "two")) -> list[tuple[str, str]]:
    return [(name, value) for value in values]


class TestRepeatedHeaders:
    @pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Host", "Idempotency-Key"])
    @pytest.mark.parametrize("values", [("one", "two"), ("one", "one"), ("", "")])
    async def test_header_is_refused_and_named_when_it_may_occur_once_and_is_repeated(
        self, client: httpx.AsyncClient, name: str, values: tuple[str, str]
    ) -> None:
        answer = await client.get("/fields", headers=_twice(name, values))
        body = answer.json()
        assert (answer.status_code, body["status"], body["code"]) == (400, 400, "header_repeated")
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["detail"] == f"Send the header {name} only once"
        assert body["request_id"] == answer.headers["x-request-id"]

    async def test_repetition_is_refused_when_the_case_differs(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/fields", headers=[("authorization", "one"), ("AUTHORIZATION", "two")])
        assert answer.status_code == 400

    async def test_repetition_is_refused_when_no_route_matches(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/nothing", headers=_twice("Idempotency-Key"))).status_code == 400

    async def test_values_of_a_repeated_header_are_neither_shown_nor_logged(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            answer = await client.get("/fields", headers=_twice("Authorization", ("Bearer hunter2", "Bearer hunter3")))
        assert [line["status"] for line in logs if line["event"] == "request.answered"] == [400]
        assert "hunter" not in answer.text + str(logs)

    @pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest", "Cookie", "X-Forwarded-For"])
    async def test_list_header_may_be_repeated(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get("/fields", headers=_twice(name))
        assert answer.status_code == 200
        assert [value for field, value in answer.json() if field == name.lower()] == ["one", "two"]

    async def test_single_headers_are_accepted(self, client: httpx.AsyncClient) -> None:
        headers = {"Authorization": "one", "Content-Type": "two", "Idempotency-Key": "three"}
        assert (await client.get("/fields", headers=headers)).status_code == 200


class TestCookieNames:
    @pytest.mark.parametrize("odd", [b"\x85", b"\xa0", b"\xc2\x85", b"\xe2\x80\x80", b'"', b"(", b"a b"])
    async def test_cookie_is_dropped_when_its_name_is_not_a_token(self, client: httpx.AsyncClient, odd: bytes) -> None:
        """A subdomain may set these: they must not count as the cookie that only the host itself may set."""
        for planted in (odd + b"__Host-access", b"__Host-access" + odd, b" " + odd + b"__Host-access"):
            header = b"__Host-access=own; " + planted + b"=planted;theme=dark"
            answer = await client.get("/cookies", headers=[(b"cookie", header)])
            assert answer.json() == {"__Host-access": "own", "theme": "dark"}

    async def test_cookies_are_read_when_their_names_are_tokens(self, client: httpx.AsyncClient) -> None:
        headers = [("cookie", "a=1;b=x=y ; c.d-e_f = 2"), ("cookie", 'g="h"; i=')]
        answer = await client.get("/cookies", headers=headers)
        assert answer.json() == {"a": "1", "b": "x=y", "c.d-e_f": "2", "g": "h", "i": ""}
