"""Calls of another service's HTTP API, with its problems turned into our error kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from bongsu.runtime.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
    TooMany,
    Unauthorised,
    Unavailable,
)
from bongsu.runtime.logging import get_logger
from bongsu_dashboard.browser import Browser, SetCookie
from bongsu_dashboard.errors import ServiceDown

log = get_logger(__name__)

KINDS: Mapping[int, type[ServiceError]] = {
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}
DEFAULT_RETRY_AFTER_S = 5.0


class Received(BaseModel):
    """What another service answers with. It may be a version ahead of us, so what we do not know is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


T = TypeVar("T", bound=Received)


class _Problem(Received):
    code: str = "error"
    detail: str = ""
    errors: list["_ProblemField"] = []


class _ProblemField(Received):
    loc: list[str | int]
    msg: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A success."""

    status: int
    content: bytes
    cookies: tuple[SetCookie, ...]
    service: str

    def parse(self, kind: type[T]) -> T:
        """Return the body.

        :raises ServiceDown: the body has another shape.
        """
        try:
            return kind.model_validate_json(self.content)
        except ValidationError as error:
            log.warning("upstream.answer_malformed", service=self.service, shape=kind.__name__)
            raise ServiceDown(self.service) from error


class Upstream:
    """Another service.

    :param client: knows its address and its time-out; whoever made it closes it.
    """

    def __init__(self, service: str, client: httpx.AsyncClient) -> None:
        self.service = service
        self._client = client
        # One client serves every browser, so it must keep nobody's cookies. The jar itself is given, and not an
        # httpx.Cookies of it: that would be copied into a jar that keeps them.
        client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))

    async def call(  # noqa: PLR0913 - each is one part of a request
        self,
        browser: Browser,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call it as the browser's user.

        :raises ServiceDown: it does not answer, or with a failure of its own.
        :raises ServiceError: its problem, as the kind of its status, with its code.
        """
        try:
            response = await self._client.request(
                method, path, json=body, params=query, headers={**browser.headers(), **(headers or {})}
            )
        except httpx.HTTPError as error:
            log.warning("upstream.silent", service=self.service, error=type(error).__name__)
            raise ServiceDown(self.service) from error
        if response.is_success:
            cookies = tuple(SetCookie(value) for value in response.headers.get_list("set-cookie"))
            return Reply(response.status_code, response.content, cookies, self.service)
        raise self._problem(response)

    def _problem(self, response: httpx.Response) -> ServiceError:
        try:
            problem = _Problem.model_validate_json(response.content)
        except ValidationError:
            problem = _Problem(code=f"http_{response.status_code}")
        kind = KINDS.get(response.status_code)
        if kind is None and response.status_code != 400:
            log.warning("upstream.failed", service=self.service, status=response.status_code, code=problem.code)
            return ServiceDown(self.service)
        return (kind or Invalid)(
            problem.detail,
            code=problem.code,
            errors=[FieldError(tuple(item.loc), item.msg) for item in problem.errors],
            retry_after_s=_retry_after(response),
        )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after")
    if value is None:
        return None
    return float(value) if value.isdigit() else DEFAULT_RETRY_AFTER_S
