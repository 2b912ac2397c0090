"""ASGI middleware: access to the sandbox, and access of faults to the transport."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers
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
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        app = self.app if refusal is None else problem_response(refusal, request_id="-")
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Forbidden | None:
        headers = Headers(scope=scope)
        if not self.allow_remote and not all(is_loopback(address) for address in _addresses(scope, headers)):
            return Forbidden("Set SANDBOX_ALLOW_REMOTE=true to accept clients on other machines", code="not_local")
        host = headers.get("host", "")
        if not self._is_local(host):
            return Forbidden("Use a local host name, such as localhost", code="not_local")
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in {"GET", "HEAD"} and urlsplit(origin).netloc != host:
            return Forbidden("Requests from other sites cannot change the sandbox", code="cross_site")
        return None

    def _is_local(self, host: str) -> bool:
        """Whether a Host is local, against DNS rebinding by other sites.

        Containers call one another by names without a dot.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_local_host(name) or (self.allow_remote and "." not in name)


def _addresses(scope: Scope, headers: Headers) -> Iterator[str]:
    client = scope.get("client")
    yield client[0] if client else ""
    for forwarded in headers.getlist("x-forwarded-for"):
        yield from (part.strip() for part in forwarded.split(","))
