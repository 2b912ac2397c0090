"""OpenID Connect Discovery: the endpoints of a provider, from the document that it publishes."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from httpx_oauth.exceptions import GetProfileError
from pydantic import Field, ValidationError

from bongsu.runtime.logging import get_logger
from bongsu_auth.oauth.clients import ProviderBody
from bongsu_auth.oauth.port import ProviderRefused

log = get_logger(__name__)

DOCUMENT = "/.well-known/openid-configuration"
KEPT_S = 3600.0
MAX_URL_CHARS = 2000

Url = Annotated[str, Field(pattern=r"^https?://[^\s#@]+$", max_length=MAX_URL_CHARS)]


class Endpoints(ProviderBody):
    """The part of the document that we use. `issuer` is what ID tokens name."""

    issuer: str
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    userinfo_endpoint: Url | None = None
    revocation_endpoint: Url | None = None


class Discovery:
    """Fetches the document at the first use, and again when it is an hour old.

    An old document is used as long as no newer one can be fetched.

    :param issuer: the issuer of the settings, which the document must name; a slash at its end makes no difference.
    :param url: of the issuer, for our requests.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, issuer: str, url: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._url = f"{url}{DOCUMENT}"
        self._monotonic = monotonic
        self._found: Endpoints | None = None
        self._fetched_at = 0.0
        self._fetching = asyncio.Lock()

    async def load(self) -> Endpoints:
        """Return the endpoints, within `translate_provider_errors`.

        :raises ProviderRefused: the document is malformed, or another issuer's.
        :raises httpx.HTTPError: it cannot be fetched.
        :raises GetProfileError: the same.
        """
        async with self._fetching:
            if self._found is not None and self._monotonic() - self._fetched_at < KEPT_S:
                return self._found
            self._fetched_at = self._monotonic()
            try:
                self._found = await self._fetch()
            except (ProviderRefused, httpx.HTTPError, GetProfileError) as error:
                if self._found is None:
                    raise
                log.warning("oauth.discovery_failed", issuer=self._issuer, error=type(error).__name__)
            return self._found

    async def _fetch(self) -> Endpoints:
        response = await self._http.get(self._url, headers={"Accept": "application/json"})
        if response.status_code != httpx.codes.OK:
            raise GetProfileError(response=response)
        try:
            found = Endpoints.model_validate(response.json())
        except ValidationError as error:
            members = ", ".join(str(one["loc"][0]) if one["loc"] else "all" for one in error.errors())
            raise ProviderRefused(f"the document at {self._url} is malformed: {members}") from None
        except ValueError:
            raise ProviderRefused(f"the document at {self._url} is not JSON") from None
        if found.issuer.rstrip("/") != self._issuer:
            raise ProviderRefused(f"the document at {self._url} is another issuer's")
        urls = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint)
        if urlsplit(self._issuer).scheme == "https" and any(url and not url.startswith("https://") for url in urls):
            raise ProviderRefused(f"the document at {self._url} names an endpoint without TLS")
        return found
