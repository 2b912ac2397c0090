"""The page with servers, channels and messages, and a form for slash commands."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_sandbox.discord.control.schemas import NewCommand
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages, ProvidedPages

PATH = "/sandbox/discord"
_SHOWN_COMMANDS = 8


router = APIRouter(include_in_schema=False)

ProvidedControl = Annotated[Control, Provided(Control)]


@router.get(PATH)
async def show_channel(request: Request, control: ProvidedControl, pages: ProvidedPages) -> Response:
    return _page(request, control, pages)


@router.get(f"{PATH}/channels/{{guild_id}}/{{channel_id}}")
async def open_channel(guild_id: str, channel_id: str) -> Response:  # noqa: ARG001 - Discord's address has both
    """Lead from Discord's address of a channel to the page that shows it."""
    return RedirectResponse(f"{PATH}?channel={parse(channel_id)}")


@router.post(f"{PATH}/commands")
async def run_command(request: Request, control: ProvidedControl, pages: ProvidedPages) -> Response:
    form = await read_form(request)
    try:
        wanted = NewCommand.model_validate(form | {"wait_s": 3})
        await control.run_command(wanted)
    except (ValidationError, ServiceError) as error:
        return _page(request, control, pages, problem=str(error), status=422)
    return RedirectResponse(f"{PATH}?channel={parse(wanted.channel_id)}", status_code=303)


def _page(
    request: Request, control: Control, pages: Pages, *, problem: str | None = None, status: int = 200
) -> Response:
    world = control.front.world
    bot_id = control.front.application.id
    guilds = sorted(world.guilds.values(), key=lambda one: (bot_id not in one.members, one.id))
    wanted = parse(request.query_params.get("channel"))
    guild = next((one for one in guilds if wanted in one.channels), guilds[0])
    channel = guild.channels.get(wanted or 0) or next(iter(guild.channels.values()))
    context = {
        "place": "discord",
        "guilds": guilds,
        "bot_id": bot_id,
        "guild": guild,
        "channel": channel,
        "messages": control.messages.list_newest(channel.id)[::-1],
        "members": [world.users[user] for user in guild.members if user in world.users],
        "commands": _paths(control),
        "interactions": [*control.interactions.recent][: -_SHOWN_COMMANDS - 1 : -1],
        "connected": any(session.is_connected for session in control.hub.sessions),
        "problem": problem,
    }
    answer = pages.page(request, "discord.html", context, status_code=status)
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _paths(control: Control) -> list[str]:
    """Return every command with its subcommands, as typed."""
    paths = []
    for command in control.commands.list_all(str(control.front.application.id)):
        options = command.get("options")
        nested = [
            f"{command['name']} {one['name']}"
            for one in (options if isinstance(options, list) else [])
            if isinstance(one, dict) and one.get("type") in {1, 2}
        ]
        paths += nested or [str(command["name"])]
    return sorted(paths)
