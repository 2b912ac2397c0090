import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import ServiceDown
from bongsu_dashboard.upstream import Received, Upstream


class Thing(Received):
    name: str


def _service() -> FastAPI:
    app = FastAPI()

    @app.get("/problem/{status}")
    async def problem(status: int) -> Response:
        body = {"code": "it_is_so", "detail": "Because", "errors": [{"loc": ["body", "x"], "msg": "wrong"}]}
        headers = {"Retry-After": "7"}
        return Response(json.dumps(body), status, headers=headers, media_type="application/problem+json")

    @app.get("/text/{status}")
    async def text(status: int) -> Response:
        return Response("<html>", status)

    @app.get("/thing")
    async def thing() -> dict[str, object]:
        return {"name": "x", "new": 1}

    @app.get("/cookie")
    async def cookie(request: Request, response: Response) -> dict[str, str]:
        response.set_cookie("access", "mina", path="/")
        return {"name": request.headers.get("cookie", "none")}

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    @app.get("/headers")
    async def headers(request: Request) -> dict[str, str]:
        return {"name": json.dumps(dict(request.headers))}

    return app


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    transport = httpx.ASGITransport(_service(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://auth.test") as client:
        yield Upstream("auth", client)


class TestCall:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, Invalid),
            (401, Unauthorised),
            (403, Forbidden),
            (404, NotFound),
            (409, Conflict),
            (422, Invalid),
            (429, TooMany),
            (503, ServiceError),
        ],
    )
    async def test_a_problem_is_the_kind_of_its_status_with_its_code(
        self, upstream: Upstream, status: int, kind: type[ServiceError]
    ) -> None:
        with pytest.raises(kind) as caught:
            await upstream.call(Browser(), "GET", f"/problem/{status}")
        assert (caught.value.code, caught.value.retry_after_s) == ("it_is_so", 7)
        assert caught.value.errors[0].loc == ("body", "x")

    @pytest.mark.parametrize("path", ["/problem/500", "/text/502", "/text/302", "/crash"])
    async def test_anything_else_is_a_service_that_is_down(self, upstream: Upstream, path: str) -> None:
        with pytest.raises(ServiceDown):
            await upstream.call(Browser(), "GET", path)

    async def test_a_service_out_of_reach_is_down(self) -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9", timeout=1) as client:
            with pytest.raises(ServiceDown):
                await Upstream("auth", client).call(Browser(), "GET", "/")

    async def test_unknown_fields_of_an_answer_are_ignored(self, upstream: Upstream) -> None:
        assert (await upstream.call(Browser(), "GET", "/thing")).parse(Thing).name == "x"

    async def test_an_answer_of_another_shape_is_a_service_that_is_down(self, upstream: Upstream) -> None:
        reply = await upstream.call(Browser(), "GET", "/text/200")
        with pytest.raises(ServiceDown):
            reply.parse(Thing)

    async def test_cookies_of_a_browser_are_never_sent_for_another(self, upstream: Upstream) -> None:
        first = await upstream.call(Browser(), "GET", "/cookie")
        second = await upstream.call(Browser(), "GET", "/cookie")
        third = await upstream.call(Browser(cookies={"device": "d"}), "GET", "/cookie")
        assert first.cookies[0].startswith("access=mina")
        assert [reply.parse(Thing).name for reply in (first, second, third)] == ["none", "none", "device=d"]

    async def test_call_forwards_the_headers_of_the_browser(self, upstream: Upstream) -> None:
        browser = Browser("token", "203.0.113.7, 10.0.0.1", "Firefox", "en", "request-1")
        sent = json.loads((await upstream.call(browser, "GET", "/headers")).parse(Thing).name)
        assert sent["authorization"] == "Bearer token"
        assert sent["x-forwarded-for"] == "203.0.113.7, 10.0.0.1"
        assert (sent["user-agent"], sent["accept-language"], sent["x-request-id"]) == ("Firefox", "en", "request-1")
