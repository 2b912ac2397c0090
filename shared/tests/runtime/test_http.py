import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Literal

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
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
    toppings: tuple[str, ...] = ()
    coupon: Annotated[SecretStr, Field(min_length=1, max_length=8)] = SecretStr("none")


def _api(*, max_body_bytes: int = 100, deadline_s: float | None = 30) -> FastAPI:
    app = create_api(
        title="Kitchen",
        version="1",
        prefix="/kitchen",
        metrics=Metrics("kitchen"),
        max_body_bytes=max_body_bytes,
        deadline_s=deadline_s,
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
    "lost": mixins.TransactionLost("rolled back"),
    "pool": PoolTimeout("QueuePool limit reached"),
    "reset": ConnectionResetError(),
    "slow": TimeoutError(),
    "column": OperationalError("SELECT secret", {}, Exception(1054, "Unknown column 'hunter2'")),
    "constraint": IntegrityError("INSERT secret", {}, Exception(1062, "Duplicate entry 'hunter2'")),
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
            ("lost", 503, "database_unavailable"),
            ("pool", 503, "database_unavailable"),
            ("reset", 503, "database_unavailable"),
            ("slow", 503, "database_unavailable"),
            ("column", 500, "internal"),
            ("constraint", 500, "internal"),
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

    @pytest.mark.parametrize("kind", ["database", "lost", "pool", "reset", "slow", "column", "constraint", "bug"])
    async def test_database_is_reported_unavailable_when_the_mixins_find_it_so(
        self, client: httpx.AsyncClient, kind: str
    ) -> None:
        code = (await client.get(f"/fails/{kind}")).json()["code"]
        assert (code == "database_unavailable") is mixins.is_unavailable(FAILURES[kind])

    async def test_problem_shows_nothing_of_the_error_behind_it(self, client: httpx.AsyncClient) -> None:
        for kind in ("bug", "database", "column", "constraint", "too-long"):
            assert "hunter2" not in (await client.get(f"/fails/{kind}")).text

    async def test_retry_after_is_in_whole_seconds(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/fails/unavailable")).headers["retry-after"] == "2"
        assert (await client.get("/fails/too-many")).headers["retry-after"] == "7"

    async def test_unknown_field_is_named(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", json={"dish": "bibimbap", "spice": 3})
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"loc": ["body", "spice"], "msg": "Unknown field; remove it"}]
        assert "spice" in answer.json()["detail"]

    async def test_problem_is_small_when_many_fields_are_unknown(self) -> None:
        app = _api(max_body_bytes=100_000)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kitchen") as client:
            many = await client.post("/orders", json={"dish": "a"} | {f"spice-{number}": 1 for number in range(2_000)})
            long = await client.post("/orders", json={"dish": "a", "🌶" * 9_000: 1})
        assert len(many.json()["errors"]) == 50
        assert many.json()["detail"].endswith("spice-49 and 1,950 more")
        assert long.json()["errors"][0]["loc"] == ["body", "🌶" * 100 + "…"]
        assert max(len(answer.content) for answer in (many, long)) < 6_000

    @pytest.mark.parametrize(
        ("body", "name"),
        [
            ('{"dish": "a", "dish": "b"}', "dish"),
            ('{"dish": "a", "x": {"y": 1, "z": 2, "y": 1}}', "y"),
            ('[{"dish": 1, "dish": 1}]', "dish"),
            ('{"di\\u0073h": "a", "dish": "b"}', "dish"),
        ],
    )
    async def test_body_is_refused_when_a_name_is_repeated(
        self, client: httpx.AsyncClient, body: str, name: str
    ) -> None:
        headers = {"content-type": "application/json; charset=utf-8"}
        answer = await client.post("/orders", content=body, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (422, f"Invalid input: {name}")
        assert answer.json()["errors"] == [{"loc": ["body", name], "msg": "Repeated field; send it once"}]

    async def test_body_is_refused_when_it_is_not_json(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"{nope", headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert "not valid JSON" in answer.json()["errors"][0]["msg"]

    async def test_body_is_refused_when_it_is_not_text(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"\xff\xfe\x00", headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500

    async def test_lone_surrogates_are_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/orders", content=b'{"dish": "\\ud800", "\\ud800": 1}', headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422

    async def test_unknown_path_and_method_are_problems(self, client: httpx.AsyncClient) -> None:
        missing, wrong = await client.get("/nothing"), await client.delete("/orders")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "POST"

    async def test_position_of_malformed_json_is_not_a_field(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b'{"dish" 1}', headers={"content-type": "application/json"})
        assert (answer.json()["detail"], answer.json()["errors"][0]["loc"]) == ("Invalid input: body", ["body"])

    async def test_content_type_is_asked_for_when_json_comes_without_it(self, client: httpx.AsyncClient) -> None:
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
    async def test_unreadable_body_is_refused_with_the_reason(self, body: bytes, reason: str) -> None:
        app = _api(max_body_bytes=10_000)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://k") as client:
            answer = await client.post("/orders", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert reason in answer.json()["detail"]

    async def test_enumeration_members_are_shown_as_they_are_sent(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", json={"dish": "bibimbap", "heat": "cold"})
        assert answer.json()["errors"][0]["msg"] == "Input should be 'mild' or 'hot'"

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "Input should be an object"),
            ({"dish": "bibimbap", "toppings": "egg"}, "Input should be a list"),
            ({"dish": "bibimbap", "coupon": ""}, "String should have at least 1 character"),
            ({"dish": "bibimbap", "coupon": "123456789"}, "String should have at most 8 characters"),
        ],
    )
    async def test_messages_name_the_types_of_json(self, client: httpx.AsyncClient, body: object, message: str) -> None:
        answer = await client.post("/orders", json=body)
        assert [error["msg"] for error in answer.json()["errors"]] == [message]


class TestTimeLimit:
    async def test_request_is_ended_when_no_response_starts_before_the_deadline(self) -> None:
        app = _api(deadline_s=0.05)

        @app.get("/forever")
        async def forever() -> None:
            await asyncio.get_running_loop().create_future()

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://k") as client:
            answer = await client.get("/forever")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
        assert answer.headers["retry-after"] == "2"

    async def test_response_may_outlast_the_deadline_when_it_has_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app, loop = _api(deadline_s=30), asyncio.get_running_loop()
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
    async def test_body_is_refused_when_its_content_length_exceeds_the_limit(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/orders", content=b"x" * 101)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_body_is_refused_when_its_chunks_exceed_the_limit(self, client: httpx.AsyncClient) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"0123456789"

        answer = await client.post("/orders", content=chunks(), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


class TestHeaderLimit:
    async def test_headers_are_refused_when_they_exceed_the_limit(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/healthz", headers={f"x-{number}": "y" * 1000 for number in range(70)})
        assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


class TestRequestId:
    async def test_each_request_gets_an_id(self, client: httpx.AsyncClient) -> None:
        first, second = await client.get("/healthz"), await client.get("/healthz")
        assert first.headers["x-request-id"] != second.headers["x-request-id"]

    async def test_id_of_the_client_is_kept(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/nothing", headers={"X-Request-Id": "trace-7"})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == "trace-7"

    @pytest.mark.parametrize("bad", ["", "x" * 129, "two words"])
    async def test_unusable_id_is_replaced(self, client: httpx.AsyncClient, bad: str) -> None:
        answer = await client.get("/nothing", headers={"X-Request-Id": bad})
        assert answer.headers["x-request-id"] != bad


class TestApiLog:
    async def test_request_is_logged_once_with_its_route_and_not_its_path(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            await client.get("/fails/missing?token=secret")
        lines = [line for line in logs if line["event"] == "request.answered"]
        assert len(lines) == 1
        assert lines[0]["route"] == "/fails/{kind}"
        assert lines[0]["status"] == 404
        assert "secret" not in str(lines)


class TestHealth:
    async def test_head_is_answered(self, client: httpx.AsyncClient) -> None:
        assert (await client.head("/healthz")).status_code == 200

    async def test_process_is_alive(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).json() == {"status": "ok"}

    async def test_requests_are_measured_by_route(self, client: httpx.AsyncClient) -> None:
        await client.get("/fails/missing")
        text = (await client.get("/metrics")).text
        assert 'route="/fails/{kind}",service="kitchen",status="404"' in text
        assert 'http_errors_total{code="not_found",service="kitchen"} 1.0' in text
