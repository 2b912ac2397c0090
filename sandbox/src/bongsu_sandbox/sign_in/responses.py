"""Ends a request with a ready response, wherever it is."""

from fastapi import Request
from starlette.responses import Response


class Answered(Exception):
    """A fault, or the provider's error, in place of what the route returns."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def send_answer(request: Request, answered: Exception) -> Response:
    """The app's handler of `Answered`."""
    del request
    assert isinstance(answered, Answered)  # noqa: S101 - registered for this type
    return answered.response
