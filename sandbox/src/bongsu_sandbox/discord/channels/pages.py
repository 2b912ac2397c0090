"""The page with servers, channels and messages, on which a user runs commands and presses buttons."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_sandbox.discord.control.schemas import NewCommand, NewPress
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.interactions.service import SUBCOMMAND, SUBCOMMAND_GROUP
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages, ProvidedPages

PATH = "/sandbox/discord"
OPTION = "option."
"""Begins the names of the fields that hold a command's options."""
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
    options = {name.removeprefix(OPTION): value for name, value in form.items() if name.startswith(OPTION) and value}
    fields = {name: value for name, value in form.items() if not name.startswith(OPTION)}
    try:
        wanted = NewCommand.model_validate(fields | {"options": options, "wait_s": 3})
        await control.run_command(wanted)
    except (ValidationError, ServiceError) as error:
        return _page(request, control, pages, problem=str(error), status=422)
    return RedirectResponse(f"{PATH}?{urlencode(_shown(request))}", status_code=303)


@router.post(f"{PATH}/press")
async def press_component(request: Request, control: ProvidedControl, pages: ProvidedPages) -> Response:
    form = await read_form(request)
    try:
        values = [form["value"]] if "value" in form else []
        wanted = NewPress.model_validate({"custom_id": form.get("custom_id"), "values": values, "wait_s": 3})
        await control.press(form.get("interaction_id", ""), wanted)
    except (ValidationError, ServiceError) as error:
        return _page(request, control, pages, problem=str(error), status=422)
    return RedirectResponse(f"{PATH}?{urlencode(_shown(request))}", status_code=303)


def _shown(request: Request) -> dict[str, str]:
    """The query of the page that a form was on."""
    return {name: value for name, value in request.query_params.items() if name in {"channel", "command"}}


def _page(
    request: Request, control: Control, pages: Pages, *, problem: str | None = None, status: int = 200
) -> Response:
    world = control.front.world
    bot_id = control.front.application.id
    guilds = sorted(world.guilds.values(), key=lambda one: (bot_id not in one.members, one.id))
    wanted = parse(request.query_params.get("channel"))
    guild = next((one for one in guilds if wanted in one.channels), guilds[0])
    channel = guild.channels.get(wanted or 0) or next(iter(guild.channels.values()))
    paths = _paths(control)
    command = request.query_params.get("command")
    command = command if command in paths else next(iter(paths), None)
    context = {
        "place": "discord",
        "command": command,
        "options": paths.get(command or "", []),
        "guilds": guilds,
        "bot_id": bot_id,
        "guild": guild,
        "channel": channel,
        "messages": control.messages.list_newest(channel.id)[::-1],
        "members": [world.users[user] for user in guild.members if user in world.users],
        "commands": [*paths],
        "interactions": [*control.interactions.recent][: -_SHOWN_COMMANDS - 1 : -1],
        "connected": any(session.is_connected for session in control.hub.sessions),
        "problem": problem,
    }
    answer = pages.page(request, "discord.html", context, status_code=status)
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _paths(control: Control) -> dict[str, list[Wire]]:
    """Map every command with its subcommands, as typed, to the options that a user fills in."""
    paths: dict[str, list[Wire]] = {}
    for command in control.commands.list_all(str(control.front.application.id)):
        options = _children_of(command)
        nested = [one for one in options if one.get("type") in {SUBCOMMAND, SUBCOMMAND_GROUP}]
        if not nested:
            paths[str(command["name"])] = options
        for one in nested:
            paths[f"{command['name']} {one['name']}"] = _children_of(one)
    return dict(sorted(paths.items()))


def _children_of(command: Wire) -> list[Wire]:
    options = command.get("options")
    return [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
