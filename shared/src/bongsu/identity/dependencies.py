"""FastAPI dependencies: who calls, and whether they may.

`create_app` provides an `Identity`; endpoints ask for an `Annotated[Caller, Depends(…)]`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bongsu.identity.callers import Caller, Identity
from bongsu.identity.scopes import Permission, Scope
from bongsu.runtime.dependencies import find
from bongsu.runtime.errors import Forbidden

__all__ = [
    "Caller",
    "CurrentCaller",
    "Identity",
    "current_caller",
    "identity_of",
    "require_account",
    "require_permission",
    "require_scope",
]

_BEARER = HTTPBearer(
    scheme_name="AccessToken",
    bearerFormat="at+jwt",
    description=(
        "An access token from `POST /auth/login`. Programs sign requests with an API key instead (RFC 9421, "
        "`hmac-sha256`); browsers have a cookie."
    ),
    auto_error=False,
)

CallerDependency = Callable[..., Awaitable[Caller]]


def identity_of(request: Request) -> Identity:
    """The app's `Identity`."""
    return find(request.app, Identity)


async def current_caller(
    request: Request,
    _shown_in_openapi: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Caller:
    """Whoever calls; errors as `Identity.identify`."""
    return await identity_of(request).identify(request)


CurrentCaller = Annotated[Caller, Depends(current_caller)]


async def require_account(caller: CurrentCaller) -> Caller:
    """Somebody who signed in: for what manages accounts and keys. API keys are refused with 403."""
    if Scope.ACCOUNT not in caller.scopes or caller.session_id is None:
        raise Forbidden("An API key manages neither accounts nor keys: sign in for this", code="session_required")
    return caller


def require_scope(scope: Scope) -> CallerDependency:
    """Whoever's token or key was given the scope; others get 403."""

    async def caller_with_scope(caller: CurrentCaller) -> Caller:
        if scope not in caller.scopes:
            raise Forbidden(f"This needs the scope {scope}", code="scope_missing")
        return caller

    return caller_with_scope


def require_permission(permission: Permission, *, scope: Scope = Scope.ACCOUNT) -> CallerDependency:
    """Whoever's role has the permission; others get 403.

    :param permission: what the role must allow.
    :param scope: what the token or key must have been given besides; `account` keeps API keys out.
    """

    async def caller_with_permission(caller: Annotated[Caller, Depends(require_scope(scope))]) -> Caller:
        if not caller.may(permission):
            raise Forbidden(f"Your role does not allow this ({permission})", code="permission_missing")
        return caller

    return caller_with_permission
