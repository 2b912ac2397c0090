"""The page with servers, channels and messages, on which a user runs commands and presses buttons."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_sandbox.discord.channels.timeline import list_entries
from bongsu_sandbox.discord.control.schemas import NewCommand, NewPress
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.guilds.models import Guild, direct_channel_id, direct_recipient_id
from bongsu_sandbox.discord.interactions.service import SUBCOMMAND, SUBCOMMAND_GROUP
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages, ProvidedPages

PATH = "/sandbox/discord"
OPTION = "option."
"""Begins the names of the fields that hold a command's options."""


@dataclass(frozen=True, slots=True)
class Room:
    """A channel of a guild, or the direct messages of a user and the bot."""

    id: int
    name: str
    guild: Guild | None = None
    user: User | None = None


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
    return RedirectResponse(f"{PATH}?{urlencode(_shown(request) | {'who': form.get('user_id', '')})}", status_code=303)


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
    return {name: value for name, value in request.query_params.items() if name in {"channel", "command", "who"}}


def _page(
    request: Request, control: Control, pages: Pages, *, problem: str | None = None, status: int = 200
) -> Response:
    room = _find_room(control, parse(request.query_params.get("channel")))
    world, bot_id = control.front.world, control.front.application.id
    paths = _paths(control.commands.list_direct() if room.guild is None else control.commands.list_in(room.guild.id))
    command = request.query_params.get("command")
    command = command if command in paths else next(iter(paths), None)
    users = world.users.values()
    context = {
        "place": "discord",
        "bot_id": bot_id,
        "guilds": _sorted_guilds(control),
        "direct": [(direct_channel_id(user.id), user) for user in users if control.guilds.shares_guild(user.id)],
        "room": room,
        "people": [user for user in users if room.guild is not None and user.id in room.guild.members],
        "can_run": room.guild is None or bot_id in room.guild.members,
        "commands": [*paths],
        "command": command,
        "who": request.query_params.get("who", ""),
        "options": paths.get(command or "", []),
        "entries": list_entries(room.id, control.messages.list_newest(room.id), control.interactions.recent),
        "connected": any(session.is_connected for session in control.hub.sessions),
        "problem": problem,
    }
    answer = pages.page(request, "discord.html", context, status_code=status)
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _sorted_guilds(control: Control) -> list[Guild]:
    """List the guilds, those with the bot first."""
    bot_id = control.front.application.id
    return sorted(control.front.world.guilds.values(), key=lambda one: (bot_id not in one.members, one.id))


def _find_room(control: Control, channel_id: int | None) -> Room:
    """Find the channel with this ID, or the first one."""
    user = control.front.world.users.get(direct_recipient_id(channel_id or 0) or 0)
    if user is not None and control.guilds.shares_guild(user.id):
        return Room(direct_channel_id(user.id), user.name, user=user)
    guilds = _sorted_guilds(control)
    guild = next((one for one in guilds if channel_id in one.channels), guilds[0])
    channel = guild.channels.get(channel_id or 0) or next(iter(guild.channels.values()))
    return Room(channel.id, channel.name, guild=guild)


def _paths(commands: list[Wire]) -> dict[str, list[Wire]]:
    """Map every command with its subcommands, as typed, to the options that a user fills in."""
    paths: dict[str, list[Wire]] = {}
    for command in commands:
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
