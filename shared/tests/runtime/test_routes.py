from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter
from starlette.exceptions import HTTPException

from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics


async def _nothing() -> None: ...


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(title="Kitchen", version="1", prefix="/kitchen", metrics=Metrics("kitchen"))
    router = APIRouter(prefix="/dishes")
    router.get("")(_nothing)
    router.post("")(_nothing)
    router.get("/{name}")(_nothing)
    router.delete("/today")(_nothing)
    app.include_router(router)
    other = APIRouter(prefix="/dishes")
    other.put("")(_nothing)
    app.include_router(other)

    @app.get("/closed")
    async def closed() -> None:
        raise HTTPException(405)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://kitchen") as client:
        yield client


class TestHeadersOf:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("DELETE", "/dishes", "GET, POST, PUT"),
            ("PATCH", "/dishes", "GET, POST, PUT"),
            ("HEAD", "/dishes", "GET, POST, PUT"),
            ("POST", "/dishes/soup", "GET"),
            ("POST", "/dishes/today", "GET, DELETE"),
            ("POST", "/healthz", "GET, HEAD"),
            ("BREW", "/dishes", "GET, POST, PUT"),
        ],
    )
    async def test_allow_names_every_method_of_the_path(
        self, client: httpx.AsyncClient, method: str, path: str, allowed: str
    ) -> None:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)

    async def test_allow_leaves_out_a_method_that_the_route_refuses(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/closed")
        assert answer.status_code == 405
        assert "allow" not in answer.headers
