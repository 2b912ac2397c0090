from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics
from bongsu_launcher.dispatcher import Dispatcher, Part


def _service(name: str, prefix: str, log: list[str]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        log.append(f"{name} up")
        yield
        log.append(f"{name} down")

    app = create_api(title=name, version="1", prefix=prefix, metrics=Metrics(name), lifespan=lifespan)

    @app.get(f"{prefix}/where")
    async def where() -> str:
        return name

    return app


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def dispatcher(log: list[str]) -> Dispatcher:
    operations = _service("operations", "/operations", log)
    parts = [
        Part(_service("auth", "/auth", log), ("/auth", "/.well-known")),
        Part(_service("notify", "/v1", log), ("/v1", "/u")),
    ]
    return Dispatcher(parts, operations=operations, rest=_service("dashboard", "/pages", log))


@pytest.fixture
async def client(dispatcher: Dispatcher) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(dispatcher), base_url="http://localhost") as client:
        yield client


class TestRouting:
    async def test_path_reaches_its_service_unchanged(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/auth/where")).json() == "auth"
        assert (await client.get("/v1/where")).json() == "notify"

    async def test_each_service_keeps_its_own_openapi_document(self, client: httpx.AsyncClient) -> None:
        for path, title in (("/auth/openapi.json", "auth"), ("/v1/openapi.json", "notify")):
            assert (await client.get(path)).json()["info"]["title"] == title

    @pytest.mark.parametrize("path", ["/authors", "/v10/where", "/internal/x", "/operations/where"])
    async def test_path_that_merely_starts_with_a_prefix_is_not_that_services(
        self, client: httpx.AsyncClient, path: str
    ) -> None:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")

    async def test_other_paths_reach_the_rest(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/pages/where")).json() == "dashboard"

    async def test_internal_paths_are_not_found(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/internal/where")).status_code == 404

    async def test_health_answers_for_the_process(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).json() == {"status": "ok"}


class TestLifespan:
    async def test_services_start_in_order_and_end_in_reverse(self, dispatcher: Dispatcher, log: list[str]) -> None:
        received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        sent: list[str] = []

        async def receive() -> dict[str, str]:
            return next(received)

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(message["type"])

        await dispatcher({"type": "lifespan"}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        names = ["auth", "notify", "operations", "dashboard"]
        assert log == [*(f"{name} up" for name in names), *(f"{name} down" for name in reversed(names))]
