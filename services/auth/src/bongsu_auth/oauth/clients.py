"""HTTP to the providers, and the meaning of their failures."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated, Any

import httpx
from httpx_oauth.exceptions import GetProfileError, HTTPXOAuthError
from httpx_oauth.oauth2 import OAuth2RequestError, OAuth2Token
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from bongsu.runtime.logging import get_logger
from bongsu_auth.oauth.port import (
    Grant,
    ProviderFailed,
    ProviderRefused,
    ProviderUnavailable,
    TokenRejected,
)

log = get_logger(__name__)

MAX_TOKEN_CHARS = 16_384
"""Discord and Kakao issue a few hundred characters, without a documented limit. Sealed, this fits a TEXT column."""

YEAR_10_000 = 253_402_300_800
"""In seconds since 1970; `datetime` ends before it."""

Token = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_CHARS)]


MALFORMED_RESPONSE_ERRORS = (
    HTTPXOAuthError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,  # an expiry beyond what fits a float
    RecursionError,  # JSON nested too deeply
)


class ProviderBody(BaseModel):
    """An object in a provider's response. A malformed member counts as missing, unless the object requires it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _drop_malformed(cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        try:
            known: object = handler(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if field.is_required():
                raise
            log.warning("provider.member_dropped", object=cls.__name__.strip("_"), member=info.field_name)
            return field.get_default(call_default_factory=True)
        return known


class SharedHttpClientMixin:
    """Makes an httpx-oauth client use one HTTP client that stays open."""

    http: httpx.AsyncClient

    def get_httpx_client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        """Return the shared client. Leaving the context does not close it."""
        return contextlib.nullcontext(self.http)

    def get_json(self, response: httpx.Response, *, exc_class: type[OAuth2RequestError]) -> dict[str, Any]:
        """Return the body of a token response; `OAuth2Token` fails on a lifetime that is no number."""
        del exc_class  # a ValueError counts as a malformed response as well
        body: dict[str, Any] = response.json()
        for name in ("expires_in", "expires_at"):
            if name in body and _seconds(body[name]) is None:
                log.warning("provider.member_dropped", object="TokenResponse", member=name)
                del body[name]
        return body


def make_http(public_url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the HTTP client for all providers. The caller closes it."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(5.0),
        follow_redirects=False,
        # The client is shared by all users, so it stores no cookies.
        cookies=httpx.Cookies(CookieJar(DefaultCookiePolicy(allowed_domains=[]))),
        # Discord requires this format (https://docs.discord.com/developers/reference#user-agent), the others none.
        headers={"User-Agent": f"DiscordBot ({public_url}, 1) Bongsu"},
    )


@contextlib.asynccontextmanager
async def translate_provider_errors(provider: str, timeout_s: float) -> AsyncIterator[None]:
    """Raise every failure of a request to a provider as `ProviderFailed`."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except ProviderFailed:
        raise
    except TimeoutError:
        raise ProviderUnavailable(f"{provider} timed out") from None
    except (OAuth2RequestError, GetProfileError) as error:
        # `from None`: the text of the original error may contain the request.
        raise failure_of(provider, error.response) from None
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"{provider} is unreachable: {type(error).__name__}") from None
    except MALFORMED_RESPONSE_ERRORS as error:
        raise ProviderRefused(f"{provider} sent a malformed response: {type(error).__name__}") from None


async def get_json(http: httpx.AsyncClient, url: str, token: str, **params: str) -> object:
    """GET JSON with an access token, within `translate_provider_errors`."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    response = await http.get(url, params=params or None, headers=headers)
    if response.status_code != httpx.codes.OK:
        raise GetProfileError(response=response)
    body: object = response.json()
    return body


def failure_of(provider: str, response: httpx.Response | None) -> ProviderFailed:
    """Return the failure that an error response means."""
    if response is None:
        return ProviderUnavailable(f"{provider} is unreachable")
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        is_global = response.headers.get("x-ratelimit-global") == "true"
        return ProviderUnavailable(f"{provider} throttles", retry_after_s=_retry_after(response), is_global=is_global)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(f"{provider} answered {status}")
    error = _member(response, "error")
    if error in ("invalid_client", "unauthorized_client"):
        # Our credentials are wrong, which says nothing about the user's tokens: they must not be dropped.
        log.error("provider.credentials_refused", provider=provider)
        return ProviderRefused(f"{provider} does not accept the client ID and secret")
    if status == httpx.codes.UNAUTHORIZED or error == "invalid_grant":
        return TokenRejected(f"{provider} answered {status}")
    return ProviderRefused(f"{provider} answered {status}")


def _seconds(value: object) -> int | None:
    """Return a whole number of seconds, which some providers send as text."""
    try:
        seconds = int(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < YEAR_10_000 else None


class _Guild(BaseModel):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class _TokenResponse(ProviderBody):
    access_token: Token
    refresh_token: Token | None = None
    expires_at: Annotated[int, Field(ge=0, lt=YEAR_10_000)] | None = None
    scope: Annotated[str, Field(max_length=4096)] | None = None
    id_token: Annotated[str, Field(max_length=MAX_TOKEN_CHARS)] | None = None
    guild: _Guild | None = None


def parse_grant(response: OAuth2Token) -> Grant:
    """Return the grant in a token endpoint's response.

    :raises ValueError: the response is malformed.
    """
    read = _TokenResponse.model_validate(dict(response))
    return Grant(
        access_token=read.access_token,
        refresh_token=read.refresh_token,
        expires_at=datetime.fromtimestamp(read.expires_at, UTC) if read.expires_at is not None else None,
        scopes=tuple(read.scope.split()) if read.scope is not None else None,
        id_token=read.id_token,
        guild_id=read.guild.id if read.guild is not None else None,
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Read the wait from the body, where Discord is more precise, or from the header."""
    for value in (_member(response, "retry_after"), response.headers.get("retry-after")):
        with contextlib.suppress(TypeError, ValueError):
            # In this order, so that NaN counts as 0.
            return min(max(0.0, float(value)), 3600.0)  # type: ignore[arg-type]  # other types raise
    return None


def _member(response: httpx.Response, name: str) -> object:
    try:
        body: object = response.json()
    except (ValueError, RecursionError):
        return None
    return body.get(name) if isinstance(body, dict) else None
