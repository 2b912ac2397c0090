"""Discord as people see it: servers, channels, what the bot writes, and a place to give it commands."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bongsu.runtime.errors import ServiceError
from bongsu_sandbox.discord.control.schemas import NewCommand
from bongsu_sandbox.discord.control.service import Control
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.wording import words
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.rendering import Pages

PATH = "/sandbox/discord"
_SHOWN_COMMANDS = 8


def create_router(control: Control, pages: Pages) -> APIRouter:
    """The page's routes."""
    router = APIRouter(include_in_schema=False)

    def page(request: Request, *, problem: str | None = None, status: int = 200) -> Response:
        world = control.front.world
        bot_id = control.front.application.id
        guilds = sorted(world.guilds.values(), key=lambda one: (bot_id not in one.members, one.id))
        wanted = parse(request.query_params.get("channel"))
        guild = next((one for one in guilds if wanted in one.channels), guilds[0])
        channel = guild.channels.get(wanted or 0) or next(iter(guild.channels.values()))
        context = {
            "place": "discord",
            "w": words(request),
            "guilds": guilds,
            "bot_id": bot_id,
            "guild": guild,
            "channel": channel,
            "messages": control.messages_.of(channel.id)[::-1],
            "members": [world.users[user] for user in guild.members if user in world.users],
            "commands": _paths(control),
            "interactions": control.interactions_.recent[: -_SHOWN_COMMANDS - 1 : -1],
            "connected": any(session.connected for session in control.hub.sessions),
            "problem": problem,
        }
        answer = pages.page(request, "discord.html", context, status_code=status)
        answer.headers["Referrer-Policy"] = "same-origin"
        return answer

    @router.get(PATH)
    async def show(request: Request) -> Response:
        return page(request)

    @router.post(f"{PATH}/commands")
    async def give(request: Request) -> Response:
        form = await read_form(request)
        try:
            wanted = NewCommand.model_validate(form | {"wait_s": 3})
            await control.give(wanted)
        except (ValidationError, ServiceError) as error:
            return page(request, problem=str(error), status=422)
        return RedirectResponse(f"{PATH}?channel={parse(wanted.channel_id)}", status_code=303)

    return router


def _paths(control: Control) -> list[str]:
    """Every command with its subcommands, as one types them."""
    paths = []
    for command in control.commands.of(str(control.front.application.id)):
        options = command.get("options")
        nested = [
            f"{command['name']} {one['name']}"
            for one in (options if isinstance(options, list) else [])
            if isinstance(one, dict) and one.get("type") in {1, 2}
        ]
        paths += nested or [str(command["name"])]
    return sorted(paths)
