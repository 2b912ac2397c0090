"""Kakao over HTTP: discovery, tokens and the user API."""

import json
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.kakao.service import KakaoSignIn
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.people import Person
from bongsu_sandbox.sign_in.grants import Grant
from bongsu_sandbox.sign_in.pages import create_consent_router
from bongsu_sandbox.sign_in.responses import Answered
from bongsu_sandbox.sign_in.service import Reason, TokenRefused

PREFIX: Final = "/sandbox/kakao"
AUTHORIZE: Final = f"{PREFIX}/oauth/authorize"
_ERRORS: Mapping[Reason, tuple[int, str, str, str]] = {
    "client": (401, "invalid_client", "KOE010", "Bad client credentials"),
    "grant_type": (400, "unsupported_grant_type", "KOE203", "unsupported grant_type"),
    "code": (400, "invalid_grant", "KOE320", "authorization code not found"),
    "redirect_uri": (400, "invalid_grant", "KOE303", "Redirect URI mismatch."),
    "verifier": (400, "invalid_grant", "KOE320", "code_verifier mismatch"),
    "refresh_token": (400, "invalid_grant", "KOE322", "expired_or_invalid_refresh_token"),
}
_TOO_MANY: Final = 429

ProvidedSignIn = Annotated[KakaoSignIn, Provided(KakaoSignIn)]


def refuse(status: int, options: Mapping[str, str]) -> Response:
    """Return an error of Kakao's API: a text and a negative code."""
    code, text = (-10, "API limit has been exceeded.") if status == _TOO_MANY else (-1, "internal server error")
    body = {"msg": options.get("message", text), "code": int(options.get("code", code))}
    headers = {"Retry-After": options.get("retry_after", "1")} if status == _TOO_MANY else None
    return JSONResponse(body, status_code=status, headers=headers)


def refuse_api(status: int, code: int, message: str) -> Response:
    """Return an error of Kakao's API."""
    return JSONResponse({"msg": message, "code": code}, status_code=status)


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
        raise Answered(refuse_api(401, -401, "this access token does not exist"))
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
        "token_endpoint": f"{api_url}/oauth/token",
        "jwks_uri": f"{api_url}/.well-known/jwks.json",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "claims_supported": ["iss", "aud", "sub", "auth_time", "exp", "iat", "nonce", "nickname", "picture", "email"],
    }
    return JSONResponse(sign_in.faults.alter("/.well-known/openid-configuration", body))


@api.get("/.well-known/jwks.json")
async def read_keys(sign_in: ProvidedSignIn) -> Response:
    return JSONResponse(sign_in.key.to_jwks(), headers={"Cache-Control": "public, max-age=3600"})


@api.post("/oauth/token")
async def token(request: Request, sign_in: ProvidedSignIn) -> Response:
    try:
        body = sign_in.token(await read_form(request), None)
    except TokenRefused as refused:
        status, error, code, description = _ERRORS[refused.reason]
        refusal = {"error": error, "error_description": description, "error_code": code}
        return JSONResponse(refusal, status_code=status)
    if "refresh_token" in body:
        body |= {"refresh_token_expires_in": 5_183_999}
    return JSONResponse(body | {"token_type": "bearer"}, headers={"Cache-Control": "no-store"})


@api.api_route("/v2/user/me", methods=["GET", "POST"])
async def read_me(request: Request, sign_in: ProvidedSignIn, found: ProvidedGrant) -> Response:
    asked = {**request.query_params, **await read_form(request)}.get("property_keys")
    try:
        keys = None if asked is None else [str(key) for key in json.loads(asked)]
    except (TypeError, ValueError):
        return refuse_api(400, -2, "property_keys must be a JSON array")
    grant, person = found
    return JSONResponse(sign_in.faults.alter("/v2/user/me", sign_in.user(person, grant.scopes, keys)))


@api.get("/v1/user/access_token_info")
async def read_token_info(sign_in: ProvidedSignIn, found: ProvidedGrant) -> Response:
    _, person = found
    body = {"id": sign_in.user_id(person), "expires_in": sign_in.token_s, "app_id": 1}
    return JSONResponse(body)


@api.post("/v1/user/logout")
async def log_out(sign_in: ProvidedSignIn, found: ProvidedGrant) -> Response:
    """End this token. The person stays connected to the app."""
    grant, person = found
    sign_in.grants.remove(grant)
    return JSONResponse({"id": sign_in.user_id(person)})


@api.post("/v1/user/unlink")
async def unlink(sign_in: ProvidedSignIn, found: ProvidedGrant) -> Response:
    """Disconnect the person from the app: every token ends."""
    _, person = found
    sign_in.grants.remove_person(person.number)
    return JSONResponse({"id": sign_in.user_id(person)})


router = APIRouter()
router.include_router(api)
router.include_router(create_consent_router(KakaoSignIn, AUTHORIZE))
