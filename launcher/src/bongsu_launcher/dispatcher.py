"""One ASGI app in front of the services, by path prefix.

Not `mount`: a mounted app sees a changed path (its OpenAPI document and its signatures would be wrong), and its
lifespan is never entered.
"""

import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from bongsu.runtime.errors import RouteNotFound
from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import problem_response

log = get_logger(__name__)

INTERNAL = "/internal"


@dataclass(frozen=True, slots=True)
class Part:
    """A service and its path prefixes; a prefix matches itself and the paths below it."""

    app: Starlette
    prefixes: tuple[str, ...]

    def serves(self, path: str) -> bool:
        """Whether the path is this service's."""
        return any(path == prefix or path.startswith(f"{prefix}/") for prefix in self.prefixes)


class Dispatcher:
    """Passes each request to the service of its path, and enters every service's lifespan.

    :param operations: answers `/healthz`, `/readyz` and `/metrics` for the whole process.
    :param rest: serves every other path except `/internal`, which the gateway does not route either.
    """

    def __init__(self, parts: Sequence[Part], *, operations: Starlette, rest: Starlette | None = None) -> None:
        self._parts = (*parts, Part(operations, ("/healthz", "/readyz", "/metrics")))
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path: str = scope["path"]
        for part in self._parts:
            if part.serves(path):
                await part.app(scope, receive, send)
                return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif self._rest is not None and not path.startswith(INTERNAL):
            await self._rest(scope, receive, send)
        else:
            missing = problem_response(RouteNotFound(), request_id=uuid.uuid4().hex)
            await missing(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                for app in (*(part.app for part in self._parts), *((self._rest,) if self._rest else ())):
                    await stack.enter_async_context(app.router.lifespan_context(app))
            except Exception as error:
                log.exception("start.failed", error=type(error).__name__)
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
