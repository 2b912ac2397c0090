"""The HTTP edge of every service: problem+json, request IDs, limits, one log line and one measurement a request."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Lifespan

from bongsu import mixins
from bongsu.runtime import documentation, errors
from bongsu.runtime.health import add_health
from bongsu.runtime.json_bodies import has_json_type, require_unique_names
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.middleware import DEADLINE_S, add_middleware
from bongsu.runtime.problems import answer_problem, http_exception_response

RETRY_AFTER_S: Final = 2.0
MAX_FIELD_ERRORS: Final = 50
MAX_NAME_CHARS: Final = 100
"""An error names at most so many fields, each by the beginning of its name: a caller chooses both."""
_ENUM_MEMBER: Final = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""How pydantic shows a member of an enumeration."""
_SECRET_LENGTH: Final = re.compile(r"Value should have (at \w+ \d+) item(s?) after validation, not \d+")
"""How pydantic shows that a `SecretStr` is too short or too long."""
_MESSAGES: Final[Mapping[str, str]] = {
    "extra_forbidden": "Unknown field; remove it",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "Input should be an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "Input should be a list"),
}
"""Messages in place of pydantic's, which name Python's types."""


class StaleVersion(errors.Conflict):
    """The row changed after the client read it."""

    code = "stale_version"
    detail = "The resource was changed by another request; read it again and retry"


class ValueTooLarge(errors.Invalid):
    """A value does not fit its column."""

    code = "value_too_large"
    detail = "A value is too long or too large to store"


class DatabaseUnavailable(errors.Unavailable):
    """The database cannot be used now."""

    code = "database_unavailable"
    detail = "The database is unavailable; try again"


_PROBLEMS: Final[Mapping[type[Exception], type[errors.ServiceError]]] = {
    mixins.NotFound: errors.NotFound,
    mixins.StaleVersion: StaleVersion,
    mixins.WrongValue: ValueTooLarge,
    DataError: ValueTooLarge,
}
_MAY_BE_UNAVAILABLE: Final = (DBAPIError, PoolTimeout, mixins.TransactionLost, ConnectionError, TimeoutError)
"""The types that hold every error for which `mixins.is_unavailable` is true."""


def create_api(  # noqa: PLR0913 - each is one fact about the service
    *,
    title: str,
    version: str,
    prefix: str,
    metrics: Metrics,
    lifespan: Lifespan[FastAPI] | None = None,
    description: str = "",
    max_body_bytes: int = 1024 * 1024,
    deadline_s: float | None = DEADLINE_S,
    korean: Mapping[str, str] | None = None,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Build an empty API with the edge's conventions, `/healthz` and `/metrics`.

    :param prefix: where its OpenAPI document and pages are, e.g. `/auth` for `/auth/openapi.json`.
    :param max_body_bytes: a larger body is answered with 413 before all of it is read.
    :param deadline_s: a request whose response has not started by then is answered with 503; None for no deadline.
    :param korean: Korean titles and descriptions of the document by their English ones.
    :param cors_origins: other origins whose pages may call the API, without cookies (CORS).
    """
    app = documentation.Api(
        title=title,
        version=version,
        description=description,
        openapi_url=f"{prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        dependencies=[Depends(require_unique_names)],
    )
    app.state.metrics = metrics
    add_health(app)
    app.korean = korean or {}
    app.include_router(documentation.router, prefix=prefix)
    app.add_exception_handler(errors.ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, http_exception_response)
    for kind in _PROBLEMS:
        app.add_exception_handler(kind, _data_error)
    for kind in _MAY_BE_UNAVAILABLE:
        app.add_exception_handler(kind, _database_error)
    add_middleware(app, metrics=metrics, max_body_bytes=max_body_bytes, deadline_s=deadline_s)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
            expose_headers=["Location", "Retry-After", "X-Request-Id"],
        )
    return app


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)  # noqa: S101 - registered for this type
    return answer_problem(request, error)


async def _data_error(request: Request, error: Exception) -> Response:
    problem = next(_PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS)
    return answer_problem(request, problem())


async def _database_error(request: Request, error: Exception) -> Response:
    if not mixins.is_unavailable(error):
        raise error
    get_logger(__name__).warning("database.unavailable", error=type(error).__name__)
    return answer_problem(request, DatabaseUnavailable(retry_after_s=RETRY_AFTER_S))


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    items = error.errors()
    found = [errors.FieldError(loc=_loc(item), msg=_message(item)) for item in items[:MAX_FIELD_ERRORS]]
    if found[0].loc == ("body",) and not has_json_type(request):
        found = [errors.FieldError(("body",), "Send JSON with the header `Content-Type: application/json`")]
    names = ", ".join(dict.fromkeys(".".join(str(part) for part in item.loc[1:]) or str(item.loc[0]) for item in found))
    more = f" and {len(items) - len(found):,} more" if len(items) > MAX_FIELD_ERRORS else ""
    return answer_problem(request, errors.Invalid(f"Invalid input: {names}{more}", errors=found))


def _loc(item: Mapping[str, Any]) -> tuple[str | int, ...]:
    # FastAPI appends the position at which malformed JSON ends, which is not a field's name.
    return ("body",) if item["type"] == "json_invalid" else tuple(map(_shorten, item["loc"]))


def _shorten(part: str | int) -> str | int:
    return f"{part[:MAX_NAME_CHARS]}…" if isinstance(part, str) and len(part) > MAX_NAME_CHARS else part


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"The body is not valid JSON: {item.get('ctx', {}).get('error', 'it cannot be read')}"
    message = _MESSAGES.get(item["type"], str(item["msg"])).removeprefix("Value error, ")
    return _SECRET_LENGTH.sub(r"String should have \1 character\2", _ENUM_MEMBER.sub(r"\1", message))
