"""The kinds of failure that a service reports, whatever edge (HTTP, a job, Discord) shows them.

A service subclasses a kind with a `code` and, where it is always the same, a `detail`. Each edge has one table from
kind to answer; only `Unavailable` is worth retrying.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """An invalid field of the input: `loc` is its path (`("body", "content", "subject")`), `msg` how to correct it."""

    loc: tuple[str | int, ...]
    msg: str


class ServiceError(Exception):
    """A failure with an answer.

    `code` is stable and for programs; `detail` is for people and never holds a secret or another user's data.
    """

    code = "error"
    title = "Error"
    detail = "The request failed"
    retry_after_s: float | None = None

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
    ) -> None:
        if detail is not None:
            self.detail = detail
        if code is not None:
            self.code = code
        self.errors = tuple(errors)
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        super().__init__(self.detail)


class BadRequest(ServiceError):
    """The request cannot be read, or cannot be granted as it was made."""

    code = "bad_request"
    title = "Bad request"


class Invalid(ServiceError):
    """The input is not accepted; `errors` names the fields."""

    code = "invalid"
    title = "Invalid input"


class Unauthorised(ServiceError):
    """The caller has not proven who they are."""

    code = "unauthorised"
    title = "Not signed in"


class Forbidden(ServiceError):
    """The caller is known and lacks the permission."""

    code = "forbidden"
    title = "Not allowed"


class NotFound(ServiceError):
    """The resource does not exist, or belongs to another."""

    code = "not_found"
    title = "Not found"
    detail = "Resource not found"


class RouteNotFound(NotFound):
    """No route has the path."""

    detail = "No route matches this path"


class Conflict(ServiceError):
    """The resource exists already, or its state does not allow the operation."""

    code = "conflict"
    title = "Conflict"


class TooLarge(ServiceError):
    """The input exceeds the size limit."""

    code = "too_large"
    title = "Too large"


class HeadersTooLarge(ServiceError):
    """The request's headers exceed the size limit."""

    code = "headers_too_large"
    title = "Headers too large"


class TooMany(ServiceError):
    """The rate limit is exhausted; `retry_after_s` says for how long."""

    code = "too_many_requests"
    title = "Too many requests"


class Unavailable(ServiceError):
    """A dependency does not respond. The only kind worth retrying."""

    code = "unavailable"
    title = "Unavailable"


class StartError(Exception):
    """The process cannot start. Its message is one line: the problem, and what to do."""
