"""What the adapters have in common: how providers are asked, and what their failures mean."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated, Any

import httpx
from httpx_oauth.exceptions import GetProfileError, HTTPXOAuthError
from httpx_oauth.oauth2 import BaseOAuth2, OAuth2RequestError, OAuth2Token
from pydantic import BaseModel, ConfigDict, Field

from bongsu_auth.oauth.port import (
    AuthorizationRequest,
    Grant,
    ProviderFailed,
    ProviderRefused,
    ProviderUnavailable,
    TokenRejected,
)

TIMEOUT_S = 8.0
"""For one question, however slowly its answer drips in."""
MAX_TOKEN_CHARS = 16_384
"""Discord and Kakao keep to a few hundred characters, yet nobody promises it. Sealed, this much fits a TEXT column."""

YEAR_10_000 = 253_402_300_800
"""In seconds since 1970: later than any time that can be written down."""

Token = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_CHARS)]


NONSENSE = (
    HTTPXOAuthError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,  # a time without end
    RecursionError,  # JSON deeper than can be read
)


class OnOneHttp:
    """Makes a client of httpx-oauth use an HTTP client that stays open."""

    http: httpx.AsyncClient

    def get_httpx_client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """The one client; leaving the context does not close it."""
        return contextlib.nullcontext(self.http)


async def authorization_url(
    client: BaseOAuth2[Any], request: AuthorizationRequest, more: Mapping[str, str] | None = None
) -> str:
    """Where to send a browser: always with a state and with PKCE's S256."""
    scopes = list(request.scopes) if request.scopes is not None else None
    return await client.get_authorization_url(
        request.redirect_uri, request.state, scopes, request.code_challenge, "S256", dict(more or {})
    )


def make_http(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client with which all providers are asked; whoever makes it closes it."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(5.0),
        follow_redirects=False,
        # One client asks on behalf of everybody: it must keep nobody's cookies.
        cookies=httpx.Cookies(CookieJar(DefaultCookiePolicy(allowed_domains=[]))),
        headers={"User-Agent": "Bongsu (sign-in)"},
    )


@contextlib.asynccontextmanager
async def asking(provider: str) -> AsyncIterator[None]:
    """Turns whatever can go wrong while a provider is asked into `ProviderFailed`."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield
    except ProviderFailed:
        raise
    except TimeoutError:
        raise ProviderUnavailable(f"{provider} took too long") from None
    except (OAuth2RequestError, GetProfileError) as error:
        # `from None`: the original error's text may hold what was sent.
        raise failure_of(provider, error.response) from None
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"{provider} cannot be reached: {type(error).__name__}") from None
    except NONSENSE as error:
        raise ProviderRefused(f"{provider} answered what makes no sense: {type(error).__name__}") from None


async def get_json(http: httpx.AsyncClient, url: str, token: str, **params: str) -> object:
    """What a provider's API answers to a GET with an access token; call it within `asking`."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    response = await http.get(url, params=params or None, headers=headers)
    if response.status_code != httpx.codes.OK:
        raise GetProfileError(response=response)
    answer: object = response.json()
    return answer


def failure_of(provider: str, response: httpx.Response | None) -> ProviderFailed:
    """What an error answer means."""
    if response is None:
        return ProviderUnavailable(f"{provider} cannot be reached")
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        everyone = response.headers.get("x-ratelimit-global") == "true"
        return ProviderUnavailable(f"{provider} asks to wait", retry_after_s=_retry_after(response), everyone=everyone)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(f"{provider} answered {status}")
    if status == httpx.codes.UNAUTHORIZED or _error_of(response) == "invalid_grant":
        return TokenRejected(f"{provider} answered {status}")
    return ProviderRefused(f"{provider} answered {status}")


class _Guild(BaseModel):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class _TokenAnswer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: Token
    refresh_token: Token | None = None
    expires_at: Annotated[int, Field(ge=0, lt=YEAR_10_000)] | None = None
    scope: Annotated[str, Field(max_length=4096)] | None = None
    id_token: Annotated[str, Field(max_length=MAX_TOKEN_CHARS)] | None = None
    guild: _Guild | None = None


def grant_of(answer: OAuth2Token) -> Grant:
    """The grant in a token endpoint's answer.

    :raises ValueError: it is none.
    """
    read = _TokenAnswer.model_validate(dict(answer))
    return Grant(
        access_token=read.access_token,
        refresh_token=read.refresh_token,
        expires_at=datetime.fromtimestamp(read.expires_at, UTC) if read.expires_at is not None else None,
        scopes=tuple(read.scope.split()) if read.scope is not None else None,
        id_token=read.id_token,
        guild_id=read.guild.id if read.guild is not None else None,
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Discord's body is more exact than its header."""
    for value in (_member(response, "retry_after"), response.headers.get("retry-after")):
        with contextlib.suppress(TypeError, ValueError):
            # In this order, so that what is not a number (NaN) counts as 0.
            return min(max(0.0, float(value)), 3600.0)  # type: ignore[arg-type]  # what is no number raises
    return None


def _error_of(response: httpx.Response) -> object:
    return _member(response, "error")


def _member(response: httpx.Response, name: str) -> object:
    try:
        body: object = response.json()
    except (ValueError, RecursionError):
        return None
    return body.get(name) if isinstance(body, dict) else None
