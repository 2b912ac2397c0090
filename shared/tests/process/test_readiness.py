import asyncio

import httpx
from fastapi import FastAPI

from bongsu.process.readiness import Check, add_readiness


async def _pass() -> bool:
    return True


async def _fail() -> bool:
    return False


async def _raise() -> bool:
    raise ConnectionError


async def _hang() -> bool:
    await asyncio.get_running_loop().create_future()
    return True


async def _get_readyz(*, required: dict[str, Check], reported: dict[str, Check]) -> httpx.Response:
    app = FastAPI()
    add_readiness(app, required=required, reported=reported, timeout_s=0.05)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://process") as client:
        return await client.get("/readyz")


class TestAddReadiness:
    async def test_process_is_ready_when_only_a_reported_check_fails(self) -> None:
        answer = await _get_readyz(required={"database": _pass}, reported={"broker": _raise, "discord": _fail})
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "database": "ok", "broker": "down", "discord": "down"}

    async def test_process_is_unavailable_when_a_required_check_fails(self) -> None:
        answer = await _get_readyz(required={"database": _fail}, reported={"broker": _pass})
        assert answer.status_code == 503
        assert answer.json() == {"status": "unavailable", "database": "down", "broker": "ok"}

    async def test_check_fails_when_it_exceeds_its_time_limit(self) -> None:
        answer = await _get_readyz(required={"database": _hang}, reported={})
        assert (answer.status_code, answer.json()["database"]) == (503, "down")

    async def test_answer_is_not_cached(self) -> None:
        answer = await _get_readyz(required={}, reported={})
        assert answer.headers["cache-control"] == "no-store"
