"""What happens around every request: its id, its size limit, its log line, its measurement."""

import asyncio
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bongsu.runtime import errors
from bongsu.runtime.logging import API, get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.problems import problem_response

log = get_logger(API)
MAX_HEADER_BYTES = 64 * 1024
"""The server reads as many as come; a gateway in front refuses earlier."""
ANSWER_S = 30.0
"""How long a request may take until its answer begins: a database that fell silent would be waited for for ever."""


SINGLETONS = frozenset({b"authorization", b"content-type", b"host", b"idempotency-key"})
"""Header fields that a request has once at most: of two, each reader would have to guess which is meant, and a proxy
may guess another than we do. A second Content-Length never comes this far, and a signature may be in several fields.
"""


class _Repeated(errors.Invalid):
    code = "header_repeated"


class _TooSlow(errors.Unavailable):
    code = "too_slow"


class RequestLog:
    """ASGI middleware: gives each request its id, its limits of size and time, one line in the log, one measurement."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int, answer_s: float | None = ANSWER_S
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.max_body_bytes = max_body_bytes
        self.answer_s = answer_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), self.metrics.in_flight.track_inprogress():
            try:
                self._refuse_large(scope)
                _refuse_repeated(scope)
                await self._in_time(scope, _limited(receive, self.max_body_bytes), send_with_id)
            except (errors.TooLarge, errors.HeadersTooLarge, _Repeated, _TooSlow) as error:
                if not status:
                    refused_as = 400 if isinstance(error, _Repeated) else None
                    answer = problem_response(error, request_id=request_id, status=refused_as)
                    await answer(scope, receive, send_with_id)
            except Exception as error:
                get_logger(__name__).exception("request.crashed", error=type(error).__name__)
                if status:
                    raise
                await problem_response(_CRASH, request_id=request_id, status=500)(scope, receive, send_with_id)
            finally:
                self._finish(scope, status, time.perf_counter() - started)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = asyncio.timeout(self.answer_s)

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start" and not limit.expired():
                limit.reschedule(None)  # what has begun may take its time: an event stream has no end
            await send(message)

        try:
            async with limit:
                await self.app(scope, receive, send_in_time)
        except TimeoutError:
            if limit.expired():
                raise _TooSlow("There was no answer in time; try again", retry_after_s=2.0) from None
            raise

    def _refuse_large(self, scope: Scope) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            raise errors.HeadersTooLarge(f"The header fields are larger than {MAX_HEADER_BYTES:,} bytes")
        if _content_length(scope) > self.max_body_bytes:
            raise errors.TooLarge(f"The body is larger than {self.max_body_bytes:,} bytes")

    def _finish(self, scope: Scope, status: int, elapsed_s: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self.metrics.requests.labels(self.metrics.service, scope["method"], route, str(status)).observe(elapsed_s)
        log.info(
            "request.answered",
            method=scope["method"],
            route=route,
            status=status,
            elapsed_ms=round(elapsed_s * 1000, 1),
        )


_CRASH = errors.ServiceError("Something went wrong on our side; the log has this request's id", code="internal")


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 1 <= len(value) <= 128 and all(33 <= byte <= 126 for byte in value):
            given: str = value.decode()
            return given
    return uuid.uuid4().hex


def _refuse_repeated(scope: Scope) -> None:
    seen: set[bytes] = set()
    for name, _ in scope["headers"]:
        if name in SINGLETONS:
            if name in seen:
                shown = name.decode().title()
                raise _Repeated(f"The header field {shown} is there more than once; send it once")
            seen.add(name)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _limited(receive: Receive, limit: int) -> Receive:
    """A body without a length (chunked) is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise errors.TooLarge(f"The body is larger than {limit:,} bytes")
        return message

    return counted
