"""`/users/@me`, for the bot's token and for granted tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.discord.errors import DiscordError
from bongsu_sandbox.discord.front import DiscordRoute, ProvidedFront, path_of, require_bot
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.snowflakes import parse

ProvidedGuilds = Annotated[Guilds, Provided(Guilds)]

router = APIRouter(route_class=DiscordRoute, include_in_schema=False)


@router.get("/users/@me")
async def read_me(front: ProvidedFront, request: Request) -> Response:
    if front.is_bot(request):
        return JSONResponse(front.application.bot.to_own_wire(email=True))
    grant = front.find_grant(request)
    _require(grant.scopes, "identify")
    user = front.world.find_user(grant.user_id)
    body = user.to_own_wire(email="email" in grant.scopes)
    return JSONResponse(front.faults.alter(path_of(request), body))


@router.get("/users/@me/guilds")
async def list_guilds(
    front: ProvidedFront,
    guilds: ProvidedGuilds,
    request: Request,
    before: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    with_counts: Annotated[bool, Query()] = False,
) -> Response:
    if front.is_bot(request):
        user_id = front.application.id
    else:
        grant = front.find_grant(request)
        _require(grant.scopes, "guilds")
        user_id = grant.user_id
    older_than, newer_than = parse(before), parse(after)
    found = [
        guild
        for guild in guilds.list_of(user_id)
        if (older_than is None or guild.id < older_than) and (newer_than is None or guild.id > newer_than)
    ]
    page = found[-limit:] if older_than is not None else found[:limit]
    return JSONResponse(
        [
            guild.to_summary(user_id) | ({"approximate_member_count": guild.member_count} if with_counts else {})
            for guild in page
        ]
    )


@router.get("/users/{user_id}", dependencies=[Depends(require_bot)])
async def read_user(front: ProvidedFront, user_id: str) -> Response:
    return JSONResponse(front.world.find_user(parse(user_id)).to_wire())


def _require(scopes: list[str], scope: str) -> None:
    if scope not in scopes:
        raise DiscordError(401, 50025, "Invalid OAuth2 access token")
