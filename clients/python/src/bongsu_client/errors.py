"""Errors of the client."""

from collections.abc import Sequence


class BongsuError(Exception):
    """The base class of the client's errors."""


class Unreachable(BongsuError):
    """The API could not be reached, or did not answer in time; `__cause__` is httpx's error."""


class UnexpectedAnswer(BongsuError):
    """The answer is not one of Bongsu's API: the base URL may be wrong."""


class ApiError(BongsuError):
    """The API refused a request (RFC 9457).

    :param status: of the HTTP response.
    :param code: stable, for programs, such as `notification_not_found`; empty where the answer has none.
    :param detail: for people.
    :param errors: the wrong fields, as `(path, message)`: `("body.to.email", "must be …")`.
    :param request_id: names the request in the service's log; empty where the answer has none.
    """

    def __init__(
        self, *, status: int, code: str, detail: str, errors: Sequence[tuple[str, str]], request_id: str
    ) -> None:
        super().__init__(f"{status} {code}: {detail}" if code else f"{status}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id
