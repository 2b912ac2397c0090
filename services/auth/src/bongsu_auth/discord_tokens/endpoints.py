"""`/internal/discord/tokens`, for the bot."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from bongsu.identity.dependencies import identity_of, require_service
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_auth.discord_tokens.schemas import DiscordTokenIn, DiscordTokenOut
from bongsu_auth.discord_tokens.service import LIFETIME_S, DiscordTokens

router = APIRouter(prefix="/internal/discord", include_in_schema=False)


@router.post("/tokens", dependencies=[Depends(require_service("bot", "auth"))])
async def issue_token(
    body: DiscordTokenIn,
    request: Request,
    response: Response,
    tokens: Annotated[DiscordTokens, Provided(DiscordTokens)],
    database: Annotated[Database, Provided(Database)],
) -> DiscordTokenOut:
    """Issue the access token with which the bot runs one command of a linked user."""
    issued = await database.run(tokens.issue, body, identity_of(request).address(request))
    if isinstance(issued, ServiceError):
        raise issued
    response.headers["Cache-Control"] = "no-store"
    return DiscordTokenOut(access_token=issued.access_token, expires_in=LIFETIME_S, role=issued.role)
