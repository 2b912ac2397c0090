"""How the tokens of a session travel: fastapi-users' transports, for two tokens instead of one.

`get_login_response` and `get_logout_response` take more than fastapi-users' protocol gives them: a session has an
access and a refresh token, and the names of the cookies follow from the public URL, which is known to the app only.
"""

from fastapi import Request, Response
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.security.base import SecurityBase
from fastapi_users import authentication

from bongsu.identity.callers import SAFE_METHODS
from bongsu.identity.cookies import AuthCookies
from bongsu.identity.dependencies import identity_of
from bongsu_auth.mfa.schemas import MfaRequired
from bongsu_auth.mfa.service import CHALLENGE_LIFETIME
from bongsu_auth.oauth import pages
from bongsu_auth.sessions.schemas import CookiesSet, Reauthenticated, ReauthenticatedCookie, TokenPair
from bongsu_auth.sessions.service import Tokens

NO_STORE = {"Cache-Control": "no-store"}
_CHALLENGE_S = int(CHALLENGE_LIFETIME.total_seconds())


class AccessTokenHeader(SecurityBase):
    """Reads the access token from the `Authorization` header."""

    def __init__(self) -> None:
        self.scheme_name = "AccessToken"
        self.model = HTTPBearer(
            bearerFormat="at+jwt",
            description=(
                "An access token from `POST /auth/login`. Programs sign requests with an API key instead (RFC 9421, "
                "`hmac-sha256`); browsers have a cookie."
            ),
        )

    async def __call__(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


class AccessTokenCookie(SecurityBase):
    """Reads the access token from its cookie, unless a header authenticates the request.

    :raises Forbidden: the page of another site sent a request that may change something.
    """

    def __init__(self) -> None:
        self.scheme_name = "AccessCookie"
        self.model = APIKey(**{"in": APIKeyIn.cookie}, name="__Host-access", description="`access-<port>` on http.")

    async def __call__(self, request: Request) -> str | None:
        if any(name in request.headers for name in ("authorization", "signature", "signature-input")):
            return None
        identity = identity_of(request)
        token = request.cookies.get(identity.cookies.access)
        if token and request.method not in SAFE_METHODS:
            identity.require_same_origin(request)
        return token or None


class BearerTransport(authentication.BearerTransport):
    """The tokens are in the response body; the access token comes back in the `Authorization` header."""

    def __init__(self) -> None:
        # Not `OAuth2PasswordBearer`, which advertises the password grant (OWASP ASVS 10.4.4 forbids it).
        self.scheme = AccessTokenHeader()  # type: ignore[assignment]  # see above

    async def get_login_response(  # type: ignore[override]  # see the module's docstring
        self, tokens: Tokens, cookies: AuthCookies, location: str | None = None
    ) -> Response:
        """Answer with both tokens, or with the access token alone if the refresh token stays as it is."""
        del cookies, location
        body: TokenPair | Reauthenticated
        if tokens.refresh_token is not None:
            body = TokenPair(
                access_token=tokens.access_token, refresh_token=tokens.refresh_token, expires_in=tokens.expires_in
            )
        else:
            body = Reauthenticated(access_token=tokens.access_token, expires_in=tokens.expires_in)
        return JSONResponse(body.model_dump(mode="json"), headers=NO_STORE)

    def get_challenge_response(self, token: str, cookies: AuthCookies, location: str | None = None) -> Response:
        """Ask for the second factor."""
        del cookies, location
        body = MfaRequired(mfa_token=token, expires_in=_CHALLENGE_S)
        return JSONResponse(body.model_dump(mode="json"), headers=NO_STORE)


class CookieTransport(authentication.CookieTransport):
    """The tokens are in cookies, which scripts cannot read."""

    def __init__(self) -> None:
        # Not `APIKeyCookie`, which knows one name and no CSRF.
        self.scheme = AccessTokenCookie()  # type: ignore[assignment]  # see above

    async def get_login_response(  # type: ignore[override]  # see the module's docstring
        self, tokens: Tokens, cookies: AuthCookies, location: str | None = None
    ) -> Response:
        """Set the cookies.

        :param location: where to redirect the browser; None for a JSON response.
        """
        response: Response
        if location is not None:
            response = RedirectResponse(location, status_code=303, headers=NO_STORE)
        else:
            kind = CookiesSet if tokens.refresh_token is not None else ReauthenticatedCookie
            body = kind(expires_in=tokens.expires_in)
            response = JSONResponse(body.model_dump(mode="json"), headers=NO_STORE)
        cookies.set(response, cookies.access, tokens.access_token, max_age_s=tokens.expires_in)
        if tokens.refresh_token is not None:
            cookies.set(response, cookies.refresh, tokens.refresh_token, max_age_s=tokens.refresh_expires_in)
        return response

    def get_challenge_response(self, token: str, cookies: AuthCookies, location: str | None = None) -> Response:
        """Ask for the second factor, and set the token of the sign-in as a cookie.

        :param location: where the sign-in leads; None for a JSON response.
        """
        response: Response
        if location is not None:
            response = RedirectResponse(pages.code_page(location), status_code=303, headers=NO_STORE)
        else:
            body = MfaRequired(mfa_token=token, expires_in=_CHALLENGE_S)
            response = JSONResponse(body.model_dump(mode="json"), headers=NO_STORE)
        cookies.set(response, cookies.mfa, token, max_age_s=_CHALLENGE_S)
        return response

    async def get_logout_response(  # type: ignore[override]  # see the module's docstring
        self, cookies: AuthCookies, location: str | None = None
    ) -> Response:
        """Delete the cookies.

        :param location: where to redirect the browser; None for an empty response.
        """
        response = (
            RedirectResponse(location, status_code=303, headers=NO_STORE)
            if location is not None
            else Response(status_code=204)
        )
        cookies.clear(response, cookies.access)
        cookies.clear(response, cookies.refresh)
        return response
