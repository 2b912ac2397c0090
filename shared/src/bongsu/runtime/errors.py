"""The kinds of failure that a service reports, whatever the edge (HTTP, a job, Discord) that shows them.

A service subclasses a kind with a stable `code`. Each edge has one table from kind to answer; only `Unavailable`
is worth trying again.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the input that is wrong: `loc` is its path (`("body", "content", "subject")`), `msg` the fix."""

    loc: tuple[str | int, ...]
    msg: str


class ServiceError(Exception):
    """A failure with an answer.

    `code` is stable and for programs; `detail` is for people and never holds a secret or another user's data. A
    subclass sets them as class attributes.
    """

    code = "error"
    title = "Error"
    detail = ""

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
        super().__init__(self.detail)
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        if code is not None:
            self.code = code


class Invalid(ServiceError):
    """The input cannot be accepted as it is; `errors` names the fields."""

    code = "invalid"
    title = "Invalid input"


class Unauthorised(ServiceError):
    """Nobody is known to be calling."""

    code = "unauthorised"
    title = "Not signed in"


class Forbidden(ServiceError):
    """The caller is known and may not."""

    code = "forbidden"
    title = "Not allowed"


class NotFound(ServiceError):
    """There is no such thing, or it is another's."""

    code = "not_found"
    title = "Not found"


class Conflict(ServiceError):
    """The thing is not in a state for this, or exists already."""

    code = "conflict"
    title = "Conflict"


class TooLarge(ServiceError):
    """The input is larger than what is accepted."""

    code = "too_large"
    title = "Too large"


class HeadersTooLarge(ServiceError):
    """The request's header fields are larger than what is accepted."""

    code = "headers_too_large"
    title = "Headers too large"


class TooMany(ServiceError):
    """A limit is spent; `retry_after_s` says for how long."""

    code = "too_many_requests"
    title = "Too many requests"


class Unavailable(ServiceError):
    """Something that is needed does not answer now. The only kind worth trying again."""

    code = "unavailable"
    title = "Unavailable"


class StartError(Exception):
    """The process cannot start. Its message is one line that says what is wrong and what to do."""
