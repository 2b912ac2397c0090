"""The HTTP edge that every service has: problem+json, request ids, one log line and one measurement a request."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import exc as sqlalchemy_errors
from starlette.exceptions import HTTPException
from starlette.types import Lifespan

from bongsu import mixins
from bongsu.runtime import errors
from bongsu.runtime.documentation import add_documentation
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import CONTENT_TYPE, Metrics
from bongsu.runtime.problems import problem_response
from bongsu.runtime.request_log import ANSWER_S, RequestLog
from bongsu.runtime.routes import headers_of

RETRY_AFTER_S = 2.0
_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""How pydantic shows a member of an enumeration."""


def create_api(  # noqa: PLR0913 - each is one fact about the service
    *,
    title: str,
    version: str,
    prefix: str | None,
    metrics: Metrics,
    lifespan: Lifespan[FastAPI] | None = None,
    description: str = "",
    max_body_bytes: int = 1024 * 1024,
    answer_s: float | None = ANSWER_S,
) -> FastAPI:
    """Build an empty API with the edge's conventions, `/healthz` and `/metrics`.

    :param prefix: where its OpenAPI document and pages are, e.g. `/auth` for `/auth/openapi.json`; None for neither.
    :param max_body_bytes: a larger body is refused with 413 before it is read whole.
    :param answer_s: a request whose answer has not begun by then is given up with 503; None for never.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=None if prefix is None else f"{prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.metrics = metrics
    add_health(app)
    if prefix is not None:
        add_documentation(app, prefix)
    app.add_exception_handler(errors.ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(mixins.NotFound, _mixin_error)
    app.add_exception_handler(mixins.StaleVersion, _mixin_error)
    for kind in (
        sqlalchemy_errors.OperationalError,
        sqlalchemy_errors.InterfaceError,
        sqlalchemy_errors.TimeoutError,
        ConnectionError,
    ):
        app.add_exception_handler(kind, _database_down)
    app.add_exception_handler(sqlalchemy_errors.DataError, _value_too_large)
    app.add_middleware(RequestLog, metrics=metrics, max_body_bytes=max_body_bytes, answer_s=answer_s)
    return app


def add_health(app: FastAPI) -> None:
    """Add `/healthz`, which answers while the process is alive, and `/metrics` with what `app.state.metrics` holds."""

    @app.api_route("/healthz", methods=["GET", "HEAD"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(app.state.metrics.render(), media_type=CONTENT_TYPE)


def request_id_of(request: Request) -> str:
    """The id under which this request is logged."""
    request_id: str = request.scope["state"]["request_id"]
    return request_id


def _answer(request: Request, error: errors.ServiceError, status: int | None = None) -> JSONResponse:
    metrics: Metrics = request.app.state.metrics
    metrics.errors.labels(metrics.service, error.code).inc()
    return problem_response(error, request_id=request_id_of(request), status=status)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)  # noqa: S101 - registered for this type
    return _answer(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    found = [errors.FieldError(loc=_loc(item), msg=_message(item)) for item in error.errors()]
    if found[0].loc == ("body",) and not _says_json(request):
        found = [errors.FieldError(("body",), "Send JSON, and say so: `Content-Type: application/json`")]
    names = ", ".join(dict.fromkeys(".".join(str(part) for part in item.loc[1:]) or str(item.loc[0]) for item in found))
    return _answer(request, errors.Invalid(f"Wrong input: {names}", errors=found))


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _loc(item: Mapping[str, Any]) -> tuple[str | int, ...]:
    # Of what is no JSON, FastAPI adds where it ends to be: no field has that name.
    return ("body",) if item["type"] == "json_invalid" else tuple(item["loc"])


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "There is no such field; remove it"
    if item["type"] == "json_invalid":
        return f"The body is not JSON: {item.get('ctx', {}).get('error', 'it cannot be read')}"
    return _MEMBER.sub(r"\1", str(item["msg"])).removeprefix("Value error, ")


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    if isinstance(error.__cause__, errors.ServiceError):
        # FastAPI wraps whatever is raised while it reads the body.
        return _answer(request, error.__cause__)
    known: dict[int, errors.ServiceError] = {
        404: errors.NotFound("There is nothing at this address"),
        405: errors.Invalid(f"{request.method} is not possible here", code="method_not_allowed"),
        400: errors.Invalid(f"The body cannot be read{_reason(error.__cause__)}", code="bad_request"),
    }
    shown = known.get(error.status_code, errors.ServiceError(str(error.detail)))
    answer = _answer(request, shown, error.status_code)
    answer.headers.update(headers_of(request, error))
    return answer


def _reason(cause: BaseException | None) -> str:
    match cause:
        case UnicodeDecodeError():
            return ": it is not UTF-8"
        case RecursionError():
            return ": it is nested too deeply"
        case ValueError():
            return ": a number in it has too many digits"
        case _:
            return ""


async def _value_too_large(request: Request, error: Exception) -> Response:
    get_logger(__name__).warning("database.value_refused", error=type(error).__name__)
    return _answer(request, errors.Invalid("A value is longer or larger than can be stored", code="value_too_large"))


async def _mixin_error(request: Request, error: Exception) -> Response:
    if isinstance(error, mixins.StaleVersion):
        return _answer(
            request, errors.Conflict("Someone else changed this meanwhile; read it again", code="stale_version")
        )
    return _answer(request, errors.NotFound("There is no such thing"))


async def _database_down(request: Request, error: Exception) -> Response:
    get_logger(__name__).warning("database.unavailable", error=type(error).__name__)
    shown = errors.Unavailable(
        "The database does not answer; try again", code="database_unavailable", retry_after_s=RETRY_AFTER_S
    )
    return _answer(request, shown)
