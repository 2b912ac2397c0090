"""What happens around every request: a middleware for each job."""

import asyncio
import re
import time
import uuid
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bongsu.runtime import errors
from bongsu.runtime.logging import API, get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.problems import problem_response

MAX_HEADER_BYTES: Final = 64 * 1024
"""The server reads headers of any size; a gateway in front refuses them earlier."""
DEADLINE_S: Final = 30.0
"""A database that no longer responds would be awaited for ever: its driver has no time limit."""
SINGLE_HEADERS: Final = frozenset({b"authorization", b"content-type", b"host", b"idempotency-key"})
"""Header fields that a request may have once: of two, a proxy may read another than we do. The server refuses a second
Content-Length itself, and a signature may be split over several fields."""
_COOKIE = re.compile(rb"[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]*[ \t]*(=|$)")
"""The beginning of a cookie whose name is a token, as RFC 6265 requires."""


class HeaderRepeated(errors.BadRequest):
    """A header field occurs twice."""

    code = "header_repeated"

    def __init__(self, name: str) -> None:
        super().__init__(f"Send the header {name} only once")


class TooSlow(errors.Unavailable):
    """The response did not start before the deadline."""

    code = "too_slow"
    detail = "The request timed out; try again"


class InternalError(errors.ServiceError):
    """A defect."""

    code = "internal"
    detail = "Internal server error. Quote the request ID when you report it"


def add_middleware(
    app: Starlette, *, metrics: Metrics, max_body_bytes: int, deadline_s: float | None = DEADLINE_S
) -> None:
    """Add all of them, the innermost first.

    :param deadline_s: for the start of a response; None for none.
    """
    app.add_middleware(CookieNames)
    app.add_middleware(ResponseDeadline, deadline_s=deadline_s)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.add_middleware(HeaderLimits)
    app.add_middleware(ErrorResponses, metrics=metrics)
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(RequestId)


class RequestId:
    """Gives each request the ID that its client sent, or a new one: in `scope["state"]`, the log and `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_with_id)


class RequestLog:
    """Logs and measures each request when its response ends."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics
        self.log = get_logger(API)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, send_noting_status)
            finally:
                elapsed_s = time.perf_counter() - started
                method, route = scope["method"], getattr(scope.get("route"), "path", "unmatched")
                self.metrics.requests.labels(self.metrics.service, method, route, str(status)).observe(elapsed_s)
                elapsed_ms = round(elapsed_s * 1000, 1)
                self.log.info("request.answered", method=method, route=route, status=status, elapsed_ms=elapsed_ms)


class ErrorResponses:
    """Answers what no exception handler of the app did: a service error as its problem, a defect with 500."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except errors.ServiceError as error:
            if has_started:
                return
            problem = error
        except Exception as error:
            get_logger(__name__).exception("request.crashed", error=type(error).__name__)
            if has_started:
                raise
            problem = InternalError()
        else:
            return
        self.metrics.errors.labels(self.metrics.service, problem.code).inc()
        await problem_response(problem, request_id=scope["state"]["request_id"])(scope, receive, send)


class HeaderLimits:
    """Refuses a request whose headers are too large, or repeat what may occur once."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_HEADER_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers: list[tuple[bytes, bytes]] = scope["headers"]
            if sum(len(name) + len(value) for name, value in headers) > self.max_bytes:
                raise errors.HeadersTooLarge(f"The request headers exceed the limit of {self.max_bytes:,} bytes")
            seen: set[bytes] = set()
            for name, _ in headers:
                if name in seen:
                    raise HeaderRepeated(name.decode().title())
                if name in SINGLE_HEADERS:
                    seen.add(name)
        await self.app(scope, receive, send)


class CookieNames:
    """Drops cookies whose names are not tokens.

    Starlette strips the bytes 0x85 and 0xA0 off a name, as spaces. A subdomain cannot set a `__Host-` cookie, but some
    browsers let it set a cookie whose name is `__Host-` after such a byte.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # In place: the request log reads the route that is added to the scope.
            scope["headers"] = [
                (name, _valid_cookies(value) if name == b"cookie" else value) for name, value in scope["headers"]
            ]
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses a request whose body is too large: by its Content-Length, or once so many bytes have come."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._require(_content_length(scope))
        received_bytes = 0

        async def receive_counting() -> Message:
            nonlocal received_bytes
            message = await receive()
            if message["type"] == "http.request":
                received_bytes += len(message.get("body", b""))
                self._require(received_bytes)
            return message

        await self.app(scope, receive_counting, send)

    def _require(self, size_bytes: int) -> None:
        if size_bytes > self.max_bytes:
            raise errors.TooLarge(f"The request body exceeds the limit of {self.max_bytes:,} bytes")


class ResponseDeadline:
    """Ends a request whose response has not started by the deadline. What has started may go on: event streams do."""

    def __init__(self, app: ASGIApp, *, deadline_s: float | None) -> None:
        self.app = app
        self.deadline_s = deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        deadline = asyncio.timeout(self.deadline_s)

        async def send_without_deadline(message: Message) -> None:
            if message["type"] == "http.response.start" and not deadline.expired():
                deadline.reschedule(None)
            await send(message)

        try:
            async with deadline:
                await self.app(scope, receive, send_without_deadline)
        except TimeoutError:
            if deadline.expired():
                raise TooSlow(retry_after_s=2.0) from None
            raise


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 1 <= len(value) <= 128 and all(33 <= byte <= 126 for byte in value):
            sent: str = value.decode()
            return sent
    return uuid.uuid4().hex


def _valid_cookies(value: bytes) -> bytes:
    return b";".join(cookie for cookie in value.split(b";") if _COOKIE.match(cookie))


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
