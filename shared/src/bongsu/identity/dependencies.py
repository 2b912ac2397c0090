"""FastAPI dependencies that identify the caller and check what they may do.

`create_app` provides an `Identity`; endpoints ask for an `Annotated[Caller, Depends(…)]`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bongsu.identity.callers import Caller, Identity
from bongsu.identity.errors import ScopeMissing, SessionRequired
from bongsu.identity.scopes import Scope
from bongsu.identity.service_credentials import Service, ServiceCredentialRefused, ServiceCredentials
from bongsu.mixins import is_unavailable
from bongsu.runtime.dependencies import find

__all__ = [
    "Caller",
    "CurrentCaller",
    "Identity",
    "current_caller",
    "identity_of",
    "require_account",
    "require_scope",
    "require_scope_before_claim",
    "require_service",
]

_BEARER = HTTPBearer(
    scheme_name="AccessToken",
    bearerFormat="at+jwt",
    description=(
        "An access token from `POST /auth/login`. Programs can sign requests with an API key instead (RFC 9421, "
        "`hmac-sha256`); browsers send a cookie."
    ),
    auto_error=False,
)

CallerDependency = Callable[..., Awaitable[Caller]]


def identity_of(request: Request) -> Identity:
    """Return the app's `Identity`."""
    return find(request.app, Identity)


async def current_caller(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Caller:
    """Identify the caller; raises as `Identity.identify` does."""
    return await identity_of(request).identify(request)


CurrentCaller = Annotated[Caller, Depends(current_caller)]


async def require_account(caller: CurrentCaller) -> Caller:
    """Require a signed-in user, as managing accounts and keys does.

    :raises SessionRequired: an API key signed the request.
    """
    if Scope.ACCOUNT not in caller.scopes or caller.session_id is None:
        raise SessionRequired
    return caller


def require_scope(scope: Scope) -> CallerDependency:
    """Return a dependency that requires a token or key with the scope, and raises `ScopeMissing`."""

    async def caller_with_scope(caller: CurrentCaller) -> Caller:
        _check_scope(caller, scope)
        return caller

    return caller_with_scope


def _check_scope(caller: Caller, scope: Scope) -> None:
    if scope not in caller.scopes:
        raise ScopeMissing(scope)


def require_scope_before_claim(scope: Scope) -> Callable[..., AsyncIterator[Caller]]:
    """As `require_scope`, for an endpoint that records `Caller.nonce` in its own transaction.

    Where it has not, a refused body for example, the nonce is claimed before the answer, which is SignatureRefused if
    it was used before. A request that failed because the database is unavailable has done nothing, and may be repeated.
    Its scope must be `function`: the nonce is claimed before the response is sent.
    """

    # One dependency, as FastAPI takes some time to resolve each.
    async def caller_with_scope(
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> AsyncIterator[Caller]:
        identity = identity_of(request)
        caller = await identity.identify_before_claim(request)
        try:
            _check_scope(caller, scope)
            yield caller
        except Exception as error:
            if not is_unavailable(error):
                await identity.claim_nonce(caller)
            raise
        await identity.claim_nonce(caller)

    return caller_with_scope


def require_service(caller: Service, audience: Service) -> Callable[..., Awaitable[None]]:
    """Return a dependency that requires a service's credential for a route of `audience`.

    It raises `ServiceCredentialRefused`. `create_app` provides the `ServiceCredentials`.
    """

    async def verify_service(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "service":
            raise ServiceCredentialRefused
        await find(request.app, ServiceCredentials).verify(credential, audience, allowed=caller)

    return verify_service
