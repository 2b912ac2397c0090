"""Errors as RFC 9457 problem+json, and their description in OpenAPI."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bongsu.runtime import errors
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.routes import headers_of

PROBLEM_JSON = "application/problem+json"

STATUS: Mapping[type[errors.ServiceError], int] = {
    errors.BadRequest: 400,
    errors.Invalid: 422,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.HeadersTooLarge: 431,
    errors.Unavailable: 503,
}
"""The status of each kind of error."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg"],
                "properties": {
                    "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "msg": {"type": "string"},
                },
            },
        },
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that answers with problems of these statuses."""
    content = {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": _TITLES.get(status, "Problem"), "content": content} for status in statuses}


_TITLES = {status: kind.title for kind, status in STATUS.items()} | {405: "Method not allowed"}


class _ProblemResponse(JSONResponse):
    """A problem in ASCII: the name of a field, which it may repeat, can have lone surrogates, and UTF-8 has none."""

    media_type = PROBLEM_JSON

    def render(self, content: object) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


def problem_response(error: errors.ServiceError, *, request_id: str, status: int | None = None) -> JSONResponse:
    """Build the RFC 9457 response to an error."""
    if status is None:
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"loc": list(item.loc), "msg": item.msg} for item in error.errors]
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _ProblemResponse(body, status_code=status, headers=headers)


def request_id_of(request: Request) -> str:
    """The ID under which the request is logged."""
    request_id: str = request.scope["state"]["request_id"]
    return request_id


def answer_problem(request: Request, error: errors.ServiceError, status: int | None = None) -> JSONResponse:
    """Build the response to an error of a request, and count the error."""
    metrics: Metrics = request.app.state.metrics
    metrics.errors.labels(metrics.service, error.code).inc()
    return problem_response(error, request_id=request_id_of(request), status=status)


async def http_exception_response(request: Request, error: Exception) -> Response:
    """Answer an error of the framework as a problem."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    if isinstance(error.__cause__, errors.ServiceError):
        # FastAPI wraps whatever is raised while it reads the body.
        return answer_problem(request, error.__cause__)
    known: dict[int, errors.ServiceError] = {
        404: errors.RouteNotFound(),
        405: errors.Invalid(f"Method {request.method} is not allowed here", code="method_not_allowed"),
        400: errors.BadRequest(f"The body cannot be read{_reason(error.__cause__)}"),
    }
    problem = known.get(error.status_code, errors.ServiceError(str(error.detail)))
    answer = answer_problem(request, problem, error.status_code)
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


class _Received(BaseModel):
    """Unknown fields are ignored: the service that answers may be a version ahead."""

    model_config = ConfigDict(extra="ignore")


class _ProblemField(_Received):
    loc: list[str | int]
    msg: str


class _Problem(_Received):
    code: str = "error"
    detail: str = ""
    errors: list[_ProblemField] = []


# A caller corrects its input in both cases.
_KINDS = {status: kind for kind, status in STATUS.items()} | {400: errors.Invalid}
_RETRY_AFTER_S = 5.0


def read_problem(status: int, content: bytes, retry_after: str | None) -> errors.ServiceError | None:
    """Return the error that another service's response reports; None for a status that no kind of error has.

    :param retry_after: the header of this name.
    """
    kind = _KINDS.get(status)
    if kind is None:
        return None
    try:
        problem = _Problem.model_validate_json(content)
    except ValidationError:
        problem = _Problem(code=f"http_{status}")
    retry_after_s = float(retry_after) if retry_after is not None and retry_after.isdigit() else _RETRY_AFTER_S
    return kind(
        problem.detail,
        code=problem.code,
        errors=[errors.FieldError(tuple(item.loc), item.msg) for item in problem.errors],
        retry_after_s=None if retry_after is None else retry_after_s,
    )
