"""From an HTTP response to the value that a call returns, or the error that it raises."""

from typing import Any

import httpx

from bongsu_client.errors import ApiError, UnexpectedAnswer, Unreachable
from bongsu_client.notifications import Call


def read(outcome: httpx.Response | httpx.TransportError, call: Call) -> Any:  # noqa: ANN401 - the JSON of an answer
    """Return the JSON object of an answer.

    :raises ApiError: the API refused the request.
    :raises Unreachable: there is no answer.
    :raises UnexpectedAnswer: the answer is not a JSON object with the call's members.
    """
    if isinstance(outcome, httpx.TransportError):
        raise Unreachable(
            f"{outcome.request.url.copy_with(query=None)}: {str(outcome) or type(outcome).__name__}"
        ) from outcome
    try:
        body = outcome.json()
    except ValueError:
        body = None
    if outcome.is_error:
        raise _read_problem(outcome, body)
    if not isinstance(body, dict) or not body.keys() >= set(call.members):
        raise UnexpectedAnswer(f"{outcome.url.copy_with(path='/', query=None)} is not Bongsu's API")
    return body


def _read_problem(response: httpx.Response, body: object) -> ApiError:
    problem = body if isinstance(body, dict) else {}
    wrong = [item for item in _list(problem.get("errors")) if isinstance(item, dict)]
    return ApiError(
        status=response.status_code,
        code=str(problem.get("code", "")),
        detail=str(problem.get("detail", response.reason_phrase)),
        errors=[(".".join(map(str, _list(item.get("loc")))), str(item.get("msg", ""))) for item in wrong],
        request_id=str(problem.get("request_id", "")),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
