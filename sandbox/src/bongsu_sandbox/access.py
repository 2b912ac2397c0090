"""ASGI middleware: access to the sandbox, and access of faults to the transport."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from bongsu.runtime.errors import Forbidden
from bongsu.runtime.problems import problem_response
from bongsu_sandbox.settings import is_local_host, is_loopback

TRANSPORT = "bongsu_sandbox.transport"
"""Key in the ASGI scope: the server's transport of this connection, or None if it is not accessible."""


class Access:
    """Refuses clients on other machines, and forms posted by other sites.

    It is the outermost middleware, as only there `receive` is still the server's own: uvicorn's bound method, through
    which the faults reach the transport.
    """

    def __init__(self, app: ASGIApp, *, allow_remote: bool) -> None:
        self.app = app
        self.allow_remote = allow_remote

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope[TRANSPORT] = getattr(getattr(receive, "__self__", None), "transport", None)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await problem_response(refusal, request_id="-")(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Forbidden | None:
        if not self.allow_remote and not all(is_loopback(address) for address in _addresses(scope)):
            return Forbidden("Set SANDBOX_ALLOW_REMOTE=true to accept clients on other machines", code="not_local")
        if not self._is_local(_host(scope)):
            return Forbidden("Use a local host name, such as localhost", code="not_local")
        if scope["method"] not in {"GET", "HEAD"} and _from_another_site(scope):
            return Forbidden("Requests from other sites cannot change the sandbox", code="cross_site")
        return None

    def _is_local(self, host: str) -> bool:
        """Whether a Host is local, against DNS rebinding by other sites.

        Containers call one another by names without a dot.
        """
        return is_local_host(host) or (self.allow_remote and "." not in host)


def _host(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            try:
                return urlsplit(f"//{value.decode('latin-1')}").hostname or ""
            except ValueError:
                return ""
    return ""


def _addresses(scope: Scope) -> Iterator[str]:
    client = scope.get("client")
    yield client[0] if client else ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            yield from (part.strip() for part in value.decode("latin-1").split(","))


def _from_another_site(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return False
    host = headers.get(b"host", b"").decode("latin-1")
    return bool(urlsplit(origin.decode("latin-1")).netloc != host)
