"""`/readyz`: whether a process can do its work now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

Check = Callable[[], Awaitable[bool]]

CHECK_TIMEOUT_S = 2.0
"""How long a check may take; a slower one counts as failed."""


def add_readiness(
    app: Starlette,
    *,
    required: Mapping[str, Check],
    reported: Mapping[str, Check],
    timeout_s: float = CHECK_TIMEOUT_S,
) -> None:
    """Add `/readyz`: 503 while a required check fails; reported checks are shown and change nothing."""

    async def readyz(_request: Request) -> JSONResponse:
        checks = [*required.values(), *reported.values()]
        passed = await asyncio.gather(*(_passes(check, timeout_s) for check in checks))
        results = dict(zip((*required, *reported), passed, strict=True))
        ready = all(results[name] for name in required)
        body = {"status": "ready" if ready else "unavailable"}
        body |= {name: "ok" if passes else "down" for name, passes in results.items()}
        return JSONResponse(body, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})

    app.add_route("/readyz", readyz, include_in_schema=False)


async def _passes(check: Check, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await check()
    except Exception:  # noqa: BLE001 - a check that raises has failed, whatever it raises
        return False
