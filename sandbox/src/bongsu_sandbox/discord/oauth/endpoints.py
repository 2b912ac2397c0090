"""The token endpoints."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord.front import ProvidedFront, UnlimitedDiscordRoute, path_of
from bongsu_sandbox.discord.oauth.service import OAuth, OAuthError
from bongsu_sandbox.pages.forms import read_form

ProvidedOAuth = Annotated[OAuth, Provided(OAuth)]

router = APIRouter(route_class=UnlimitedDiscordRoute, include_in_schema=False)


@router.post("/oauth2/token")
async def token(front: ProvidedFront, oauth: ProvidedOAuth, request: Request) -> Response:
    try:
        answer = oauth.token(await _form(request), request.headers.get("authorization"))
    except OAuthError as error:
        return _refusal(error)
    body = front.faults.alter(path_of(request), answer)
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("/oauth2/token/revoke")
async def revoke(oauth: ProvidedOAuth, request: Request) -> Response:
    try:
        oauth.revoke(await _form(request), request.headers.get("authorization"))
    except OAuthError as error:
        return _refusal(error)
    return JSONResponse({})


@router.get("/oauth2/@me")
async def read_grant(front: ProvidedFront, oauth: ProvidedOAuth, request: Request) -> Response:
    return JSONResponse(oauth.describe(front.find_grant(request)))


async def _form(request: Request) -> Mapping[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "The body must be application/x-www-form-urlencoded")
    return await read_form(request)


def _refusal(error: OAuthError) -> Response:
    return JSONResponse({"error": error.error, "error_description": error.description}, status_code=error.status)
