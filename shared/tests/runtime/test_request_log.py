from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from structlog.testing import capture_logs

from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(title="Kitchen", version="1", prefix="/kitchen", metrics=Metrics("kitchen"), lifespan=_lifespan)

    @app.get("/fields")
    async def fields(request: Request) -> list[tuple[str, str]]:
        return request.headers.items()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://kitchen") as client:
        yield client


def _twice(name: str, values: Sequence[str] = ("one", "two")) -> list[tuple[str, str]]:
    return [(name, value) for value in values]


class TestRepeatedHeaders:
    @pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Host", "Idempotency-Key"])
    @pytest.mark.parametrize("values", [("one", "two"), ("one", "one"), ("", "")])
    async def test_a_field_that_may_be_there_once_is_refused_twice_and_named(
        self, client: httpx.AsyncClient, name: str, values: tuple[str, str]
    ) -> None:
        answer = await client.get("/fields", headers=_twice(name, values))
        body = answer.json()
        assert (answer.status_code, body["status"], body["code"]) == (400, 400, "header_repeated")
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["detail"] == f"The header field {name} is there more than once; send it once"
        assert body["request_id"] == answer.headers["x-request-id"]

    async def test_it_is_refused_however_it_is_written(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/fields", headers=[("authorization", "one"), ("AUTHORIZATION", "two")])
        assert answer.status_code == 400

    async def test_it_is_refused_where_there_is_nothing_too(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/nothing", headers=_twice("Idempotency-Key"))).status_code == 400

    async def test_what_it_held_is_neither_told_nor_logged(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            answer = await client.get("/fields", headers=_twice("Authorization", ("Bearer hunter2", "Bearer hunter3")))
        assert [line["status"] for line in logs if line["event"] == "request.answered"] == [400]
        assert "hunter" not in answer.text + str(logs)

    @pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest", "Cookie", "X-Forwarded-For"])
    async def test_a_field_that_is_a_list_may_come_in_parts(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get("/fields", headers=_twice(name))
        assert answer.status_code == 200
        assert [value for field, value in answer.json() if field == name.lower()] == ["one", "two"]

    async def test_one_of_each_is_accepted(self, client: httpx.AsyncClient) -> None:
        headers = {"Authorization": "one", "Content-Type": "two", "Idempotency-Key": "three"}
        assert (await client.get("/fields", headers=headers)).status_code == 200
