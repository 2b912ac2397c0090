"""The control API of Discord's stand-in, for tests and demos."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_sandbox.discord.control.schemas import (
    Drop,
    GatewayChange,
    GuildChange,
    MemberChange,
    NewCommand,
    NewGuild,
    NewPress,
    UserChange,
)
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.rate_limits import Limits

PREFIX = "/sandbox/discord/control"
View = Mapping[str, object]


ProvidedControl = Annotated[Control, Provided(Control)]

router = APIRouter(prefix=PREFIX, tags=["discord"])


@router.get("/state", summary="Return users, guilds, sessions, commands and counts")
async def read_state(control: ProvidedControl) -> JSONResponse:
    return JSONResponse(control.state())


@router.post("/reset", status_code=204, summary="Restore the initial state, except commands and messages")
async def reset(control: ProvidedControl) -> None:
    control.reset()


@router.post("/guilds", status_code=201, summary="Create a guild", responses=problems(404, 422))
async def make_guild(control: ProvidedControl, body: NewGuild) -> View:
    return control.make_guild(body)


@router.patch("/guilds/{guild_id}", summary="Change a guild", responses=problems(404, 422))
async def change_guild(control: ProvidedControl, guild_id: str, body: GuildChange) -> View:
    return control.change_guild(guild_id, body)


@router.put("/guilds/{guild_id}/members/{user_id}", status_code=204, summary="Add or change a member")
async def set_member(control: ProvidedControl, guild_id: str, user_id: str, body: MemberChange) -> None:
    control.set_member(guild_id, user_id, body)


@router.delete("/guilds/{guild_id}/members/{user_id}", status_code=204, summary="Remove a member")
async def remove_member(control: ProvidedControl, guild_id: str, user_id: str) -> None:
    control.remove_member(guild_id, user_id)


@router.patch("/users/{user_id}", summary="Change a user", responses=problems(404, 422))
async def change_user(control: ProvidedControl, user_id: str, body: UserChange) -> View:
    return control.change_user(user_id, body)


@router.post("/gateway/drop", summary="End the bot's connections")
async def drop(control: ProvidedControl, body: Drop) -> View:
    return {"dropped": control.drop(body)}


@router.post("/gateway/heartbeat", summary="Ask the bot's connections for a heartbeat (op 1)")
async def request_heartbeats(control: ProvidedControl) -> View:
    return {"asked": control.request_heartbeats()}


@router.delete("/guilds/{guild_id}", status_code=204, summary="Delete a guild", responses=problems(404))
async def delete_guild(control: ProvidedControl, guild_id: str) -> None:
    control.delete_guild(guild_id)


@router.patch("/gateway", status_code=204, summary="Change how the gateway behaves")
async def change_gateway(control: ProvidedControl, body: GatewayChange) -> None:
    control.change_gateway(body)


@router.put("/rate-limits", summary="Set the rate limits of REST")
async def set_limits(control: ProvidedControl, body: Limits) -> Limits:
    return control.set_limits(body)


@router.post("/interactions", summary="Run a slash command and wait for the answer", responses=problems(404, 422))
async def run_command(control: ProvidedControl, body: NewCommand) -> View:
    return await control.run_command(body)


@router.post(
    "/interactions/{interaction_id}/press",
    summary="Choose a button or a menu of an answer, and wait for what it does",
    responses=problems(404, 422),
)
async def press(control: ProvidedControl, interaction_id: str, body: NewPress) -> View:
    return await control.press(interaction_id, body)


@router.get("/interactions", summary="List the latest commands, oldest first")
async def list_interactions(control: ProvidedControl) -> View:
    return {"items": control.list_interactions()}


@router.get("/channels/{channel_id}/messages", summary="List a channel's newest messages, oldest first")
async def list_messages(control: ProvidedControl, channel_id: str) -> View:
    return {"items": control.list_messages(channel_id)}
