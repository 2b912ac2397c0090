"""Google over HTTP: discovery, tokens, userinfo and People API."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.google.service import SCOPES, GoogleSignIn
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.people import Person
from bongsu_sandbox.sign_in.grants import Grant
from bongsu_sandbox.sign_in.pages import create_consent_router
from bongsu_sandbox.sign_in.responses import Answered
from bongsu_sandbox.sign_in.service import Reason, TokenRefused

PREFIX: Final = "/sandbox/google"
AUTHORIZE: Final = f"{PREFIX}/o/oauth2/v2/auth"
_ERRORS: Mapping[Reason, tuple[int, str, str]] = {
    "client": (401, "invalid_client", "The OAuth client was not found."),
    "grant_type": (400, "unsupported_grant_type", "Invalid grant_type"),
    "code": (400, "invalid_grant", "Malformed auth code."),
    "redirect_uri": (400, "redirect_uri_mismatch", "Bad Request"),
    "verifier": (400, "invalid_grant", "Invalid code verifier."),
    "refresh_token": (400, "invalid_grant", "Token has been expired or revoked."),
}
_STATUSES: Final = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}

ProvidedSignIn = Annotated[GoogleSignIn, Provided(GoogleSignIn)]


def refuse(status: int, options: Mapping[str, str]) -> Response:
    """Return an error of Google's APIs."""
    message = options.get("message", "Quota exceeded." if status == 429 else "Internal error encountered.")
    error = {"code": status, "message": message, "status": _STATUSES.get(status, "INTERNAL")}
    headers = {"Retry-After": options.get("retry_after", "1")} if status == 429 else None
    return JSONResponse({"error": error}, status_code=status, headers=headers)


async def apply_faults(request: Request, sign_in: ProvidedSignIn) -> None:
    """:raises Answered: a fault answers in place of the route."""
    fault = sign_in.faults.before(request.url.path.removeprefix(PREFIX))
    if fault is not None:
        raise Answered(fault)


async def find_grant(request: Request, sign_in: ProvidedSignIn) -> tuple[Grant, Person]:
    """Return the grant of the Bearer token.

    :raises Answered: it does not work.
    """
    found = sign_in.find_grant(request.headers.get("authorization"))
    if found is None:
        raise Answered(refuse(401, {"message": "Request had invalid authentication credentials."}))
    return found


ProvidedGrant = Annotated[tuple[Grant, Person], Depends(find_grant)]

api = APIRouter(prefix=PREFIX, include_in_schema=False, dependencies=[Depends(apply_faults)])


@api.get("/.well-known/openid-configuration")
async def read_configuration(request: Request, sign_in: ProvidedSignIn) -> Response:
    """Browsers use the issuer's address; the endpoints of programs are where this request came in."""
    api_url = f"{request.url.scheme}://{request.url.netloc}{PREFIX}"
    body = {
        "issuer": sign_in.issuer,
        "authorization_endpoint": sign_in.issuer + AUTHORIZE.removeprefix(PREFIX),
        "token_endpoint": f"{api_url}/token",
        "userinfo_endpoint": f"{api_url}/v1/userinfo",
        "revocation_endpoint": f"{api_url}/revoke",
        "jwks_uri": f"{api_url}/oauth2/v3/certs",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "name", "picture", "sub"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }
    return JSONResponse(sign_in.faults.alter("/.well-known/openid-configuration", body))


@api.get("/oauth2/v3/certs")
async def read_keys(sign_in: ProvidedSignIn) -> Response:
    return JSONResponse(sign_in.key.to_jwks(), headers={"Cache-Control": "public, max-age=3600"})


@api.post("/token")
async def token(request: Request, sign_in: ProvidedSignIn) -> Response:
    try:
        body = sign_in.token(await read_form(request), request.headers.get("authorization"))
    except TokenRefused as refused:
        status, error, description = _ERRORS[refused.reason]
        return JSONResponse({"error": error, "error_description": description}, status_code=status)
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@api.post("/revoke")
async def revoke(request: Request, sign_in: ProvidedSignIn) -> Response:
    """Revoke a token, and with it everything that its person granted."""
    value = (await read_form(request)).get("token", "")
    grant = sign_in.grants.find(value) or sign_in.grants.find_refresh(value)
    if grant is None:
        return JSONResponse({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)
    sign_in.grants.remove_person(grant.person)
    return JSONResponse({})


@api.get("/v1/userinfo")
async def read_userinfo(sign_in: ProvidedSignIn, found: ProvidedGrant) -> Response:
    grant, person = found
    return JSONResponse(sign_in.faults.alter("/v1/userinfo", sign_in.userinfo(person, grant.scopes)))


@api.get("/v1/people/me")
async def read_person(sign_in: ProvidedSignIn, found: ProvidedGrant, request: Request) -> Response:
    fields = request.query_params.get("personFields", "")
    if not fields:
        return refuse(400, {"message": "personFields mask is required."})
    grant, person = found
    if not SCOPES.difference({"openid"}).intersection(grant.scopes):
        return refuse(403, {"message": "Request had insufficient authentication scopes."})
    body = sign_in.person(person, grant.scopes, {*fields.split(",")})
    return JSONResponse(sign_in.faults.alter("/v1/people/me", body))


router = APIRouter()
router.include_router(api)
router.include_router(create_consent_router(GoogleSignIn, AUTHORIZE))
