import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Literal

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DataError, OperationalError
from structlog.testing import capture_logs

from bongsu import mixins
from bongsu.runtime import errors
from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics


class Heat(StrEnum):
    MILD = "mild"
    HOT = "hot"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dish: str
    amount: int = 1
    heat: Literal[Heat.MILD, Heat.HOT] = Heat.MILD


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


def _api(*, max_body_bytes: int = 100, answer_s: float | None = 30) -> FastAPI:
    app = create_api(
        title="Kitchen",
        version="1",
        prefix="/kitchen",
        metrics=Metrics("kitchen"),
        lifespan=_lifespan,
        max_body_bytes=max_body_bytes,
        answer_s=answer_s,
    )

    @app.post("/orders")
    async def order(body: Order) -> Order:
        return body

    @app.get("/fails/{kind}")
    async def fails(kind: str) -> None:
        raise FAILURES[kind]

    return app


FAILURES: dict[str, Exception] = {
    "invalid": errors.Invalid("No", errors=[errors.FieldError(("body", "dish"), "is not on the menu")]),
    "unauthorised": errors.Unauthorised("Who?"),
    "forbidden": errors.Forbidden("No"),
    "missing": errors.NotFound("No such dish"),
    "conflict": errors.Conflict("Eaten", code="dish_eaten"),
    "too-many": errors.TooMany("Slower", retry_after_s=7),
    "unavailable": errors.Unavailable("Cold", retry_after_s=2.4),
    "database": OperationalError("SELECT secret", {}, Exception("password=hunter2")),
    "too-long": DataError("INSERT secret", {}, Exception("password=hunter2")),
    "no-row": mixins.NotFound("Dish", ("no such",)),
    "bug": RuntimeError("password=hunter2"),
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=_api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kitchen") as client:
        yield client


class TestProblems:
    @pytest.mark.parametrize(
        ("kind", "status", "code"),
        [
            ("invalid", 422, "invalid"),
            ("unauthorised", 401, "unauthorised"),
            ("forbidden", 403, "forbidden"),
            ("missing", 404, "not_found"),
            ("conflict", 409, "dish_eaten"),
            ("too-many", 429, "too_many_requests"),
            ("unavailable", 503, "unavailable"),
            ("database", 503, "database_unavailable"),
            ("too-long", 422, "value_too_large"),
            ("no-row", 404, "not_found"),
            ("bug", 500, "internal"),
        ],
    )
    async def test_each_kind_has_its_status_and_code(
        self, client: httpx.AsyncClient, kind: str, status: int, code: str
    ) -> None:
        answer = await client.get(f"/fails/{kind}")
        body = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
        assert body["request_id"] == answer.headers["x-request-id"]
        assert body["type"] == "about:blank"

    async def test_a_crash_shows_nothing_of_its_inside(self, client: httpx.AsyncClient) -> None:
        for kind in ("bug", "database"):
            assert "hunter2" not in (await client.get(f"/fails/{kind}")).text

    async def test_retry_after_is_told_in_whole_seconds(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/fails/unavailable")).headers["retry-after"] == "2"
        assert (await client.get("/fails/too-many")).headers["retry-after"] == "7"

    async def test_an_unknown_field_is_named(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", json={"dish": "bibimbap", "spice": 3})
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"loc": ["body", "spice"], "msg": "There is no such field; remove it"}]
        assert "spice" in answer.json()["detail"]

    async def test_what_is_not_json_is_said_to_be_so(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"{nope", headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert "not JSON" in answer.json()["errors"][0]["msg"]

    async def test_bytes_that_are_no_text_are_a_clear_refusal(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"\xff\xfe\x00", headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500

    async def test_lone_surrogates_are_a_clear_refusal(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/orders", content=b'{"dish": "\\ud800", "\\ud800": 1}', headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422

    async def test_an_unknown_address_and_method_are_problems_too(self, client: httpx.AsyncClient) -> None:
        missing, wrong = await client.get("/nothing"), await client.delete("/orders")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "POST"

    async def test_where_the_body_ends_to_be_json_is_not_a_fields_name(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b'{"dish" 1}', headers={"content-type": "application/json"})
        assert (answer.json()["detail"], answer.json()["errors"][0]["loc"]) == ("Wrong input: body", ["body"])

    async def test_json_that_is_not_said_to_be_json_is_told_how(self, client: httpx.AsyncClient) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}  # curl's, where none is given
        answer = await client.post("/orders", content=b'{"dish": "bibimbap"}', headers=headers)
        assert answer.status_code == 422
        assert "`Content-Type: application/json`" in answer.json()["errors"][0]["msg"]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"dish": "\xff"}', "not UTF-8"),
            (b'{"amount": ' + b"1" * 5000 + b"}", "too many digits"),
            (b"[" * 5000, "nested too deeply"),
        ],
    )
    async def test_why_a_body_cannot_be_read_is_told(self, body: bytes, reason: str) -> None:
        app = _api(max_body_bytes=10_000)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://k") as client:
            answer = await client.post("/orders", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert reason in answer.json()["detail"]

    async def test_members_of_an_enumeration_are_told_as_they_are_written(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", json={"dish": "bibimbap", "heat": "cold"})
        assert answer.json()["errors"][0]["msg"] == "Input should be 'mild' or 'hot'"


class TestTimeLimit:
    async def test_a_request_that_comes_to_no_end_is_given_up(self) -> None:
        app = _api(answer_s=0.05)

        @app.get("/forever")
        async def forever() -> None:
            await asyncio.get_running_loop().create_future()

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://k") as client:
            answer = await client.get("/forever")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
        assert answer.headers["retry-after"] == "2"

    async def test_what_has_begun_may_take_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app, loop = _api(answer_s=30), asyncio.get_running_loop()
        now = loop.time

        async def events() -> AsyncIterator[bytes]:
            yield b"one"
            monkeypatch.setattr(loop, "time", lambda: now() + 60)
            await asyncio.sleep(0.01)  # a turn of the loop, in which what is overdue ends
            yield b"two"

        @app.get("/events")
        async def stream() -> StreamingResponse:
            return StreamingResponse(events())

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://k") as client:
            assert (await client.get("/events")).text == "onetwo"


class TestBodyLimit:
    async def test_a_body_that_says_it_is_too_long_is_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"x" * 101)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_a_body_of_unknown_length_is_counted(self, client: httpx.AsyncClient) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"0123456789"

        answer = await client.post("/orders", content=chunks(), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


class TestHeaderLimit:
    async def test_more_header_fields_than_anybody_needs_are_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/healthz", headers={f"x-{number}": "y" * 1000 for number in range(70)})
        assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


class TestRequestId:
    async def test_a_request_gets_an_id(self, client: httpx.AsyncClient) -> None:
        first, second = await client.get("/healthz"), await client.get("/healthz")
        assert first.headers["x-request-id"] != second.headers["x-request-id"]

    async def test_the_callers_id_is_kept(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/nothing", headers={"X-Request-Id": "trace-7"})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == "trace-7"

    @pytest.mark.parametrize("bad", ["", "x" * 129, "two words"])
    async def test_an_unusable_id_is_replaced(self, client: httpx.AsyncClient, bad: str) -> None:
        answer = await client.get("/nothing", headers={"X-Request-Id": bad})
        assert answer.headers["x-request-id"] != bad


class TestApiLog:
    async def test_a_request_is_one_line_with_its_route_and_not_its_path(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            await client.get("/fails/missing?token=secret")
        lines = [line for line in logs if line["event"] == "request.answered"]
        assert len(lines) == 1
        assert lines[0]["route"] == "/fails/{kind}"
        assert lines[0]["status"] == 404
        assert "secret" not in str(lines)


class TestHealth:
    async def test_a_load_balancer_may_ask_without_wanting_a_body(self, client: httpx.AsyncClient) -> None:
        assert (await client.head("/healthz")).status_code == 200

    async def test_alive(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).json() == {"status": "ok"}

    async def test_requests_are_measured_by_route(self, client: httpx.AsyncClient) -> None:
        await client.get("/fails/missing")
        text = (await client.get("/metrics")).text
        assert 'route="/fails/{kind}",service="kitchen",status="404"' in text
        assert 'http_errors_total{code="not_found",service="kitchen"} 1.0' in text
