"""Calls to another service's HTTP API, whose problems become this service's errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import read_problem
from bongsu_dashboard.browser import Browser, SetCookie
from bongsu_dashboard.errors import ServiceDown

log = get_logger(__name__)


class Received(BaseModel):
    """A body of another service. Unknown fields are ignored, because that service may be a version ahead."""

    model_config = ConfigDict(frozen=True, extra="ignore")


T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response."""

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

    :param client: has the base URL and the timeout; the caller closes it.
    """

    def __init__(self, service: str, client: httpx.AsyncClient) -> None:
        self.service = service
        self._client = client
        # One client serves every browser, so it must store no cookies. httpx would copy an httpx.Cookies into a jar
        # that stores them; it keeps a CookieJar as it is.
        client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))

    async def call(  # noqa: PLR0913 - each is one part of a request
        self,
        browser: Browser,
        method: str,
        path: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request on behalf of the browser's user.

        :raises ServiceDown: no response, or a server error.
        :raises ServiceError: the service's problem, as the kind of its status and with its code.
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
        problem = read_problem(response.status_code, response.content, response.headers.get("retry-after"))
        if problem is None:
            log.warning("upstream.failed", service=self.service, status=response.status_code)
            raise ServiceDown(self.service)
        raise problem
