"""Slash commands that users run in the sandbox, and the bot's answers."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.channels.service import BUTTON, EPHEMERAL, Message, Messages
from bongsu_sandbox.discord.errors import DiscordError, required, unknown
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.discord.guilds.models import DIRECT, EVERYONE, Guild, direct_channel_to_wire
from bongsu_sandbox.discord.snowflakes import Snowflakes
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire

TOKEN_S = 900.0
KEPT = 500
COMMAND, COMPONENT = 2, 3
IN_GUILD, IN_DIRECT_MESSAGES = 0, 1
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7
SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
Status = Literal["not_delivered", "waiting", "deferred", "answered", "failed"]


@dataclass(frozen=True)
class Command:
    """A slash command as a user types it. `guild` None: in the direct messages with the bot."""

    path: str
    options: Mapping[str, object]
    user: User
    guild: Guild | None
    channel_id: int
    locale: str

    @property
    def guild_id(self) -> int | None:
        return None if self.guild is None else self.guild.id


@dataclass(frozen=True)
class Press:
    """A component of an answer that the user of the command chose. `values` are a menu's."""

    custom_id: str
    kind: int
    source: "Interaction"
    place: int
    """The answer's place in `source.answers`."""
    values: list[str] = field(default_factory=list)

    @property
    def message(self) -> Message:
        return self.source.answers[self.place]

    def data(self) -> Wire:
        data: Wire = {"custom_id": self.custom_id, "component_type": self.kind}
        return data if self.kind == BUTTON else data | {"values": self.values}


@dataclass
class Interaction:
    """A command or a press, and its answers. `failed`: no answer within `answer_s`."""

    id: int
    token: str
    command: Command
    answer_s: float
    press: Press | None = None
    updates: bool = False
    """The answer replaces the message that has the component."""
    delivered: bool = False
    deferred: bool = False
    ephemeral: bool = False
    answers: list[Message] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    acknowledged_after_s: float | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether the time for the first answer is over."""
        return self.age_s > self.answer_s

    @property
    def status(self) -> Status:
        if self.answers:
            return "answered"
        if self.deferred:
            return "deferred"
        if not self.delivered:
            return "not_delivered"
        return "failed" if self.is_late else "waiting"

    def view(self) -> Wire:
        return {
            "id": str(self.id),
            "command": self.command.path,
            "options": dict(self.command.options),
            "user_id": str(self.command.user.id),
            "guild_id": None if self.command.guild_id is None else str(self.command.guild_id),
            "channel_id": str(self.command.channel_id),
            "status": self.status,
            "deferred": self.deferred,
            "ephemeral": self.ephemeral,
            "acknowledged_after_s": self.acknowledged_after_s,
            "answers": [
                {
                    "content": answer.content,
                    "embeds": answer.embeds,
                    "components": answer.components,
                    "ephemeral": bool(answer.flags & EPHEMERAL),
                    "edited": answer.edited_at is not None,
                }
                for answer in self.answers
            ],
        }


class Interactions:
    """Delivers commands to the bot and takes its answers."""

    def __init__(
        self, application: Application, hub: Hub, messages: Messages, snowflakes: Snowflakes, *, answer_s: float
    ) -> None:
        self._answer_s = answer_s
        self._application = application
        self._hub = hub
        self._messages = messages
        self._snowflakes = snowflakes
        self.recent: deque[Interaction] = deque(maxlen=KEPT)
        """The latest commands, oldest first."""

    def start(self, command: Command, commands: list[Wire]) -> Interaction:
        """Send a command to the bot, even if `commands` lacks it, as a client with an old cache does."""
        name, *rest = command.path.split()
        known = next((one for one in commands if one.get("name") == name), None)
        data: Wire = {
            "id": known["id"] if known is not None else str(self._snowflakes.make()),
            "name": name,
            "type": 1,
            "options": _nested(rest, command.options, known.get("options") if known is not None else None),
        }
        return self._deliver(command, data)

    def press(self, source: Interaction, custom_id: str, values: list[str]) -> Interaction:
        """Choose a component of one of an interaction's answers, as its user.

        :raises LookupError: no answer has an enabled component with this custom ID.
        """
        for place, answer in enumerate(source.answers):
            for child in _children(answer):
                if child.get("custom_id") == custom_id and not child.get("disabled"):
                    press = Press(custom_id, int(str(child["type"])), source, place, values)
                    return self._deliver(source.command, press.data(), press)
        raise LookupError(custom_id)

    def _deliver(self, command: Command, data: Wire, press: Press | None = None) -> Interaction:
        made = Interaction(self._snowflakes.make(), secrets.token_urlsafe(32), command, self._answer_s, press)
        self.recent.append(made)
        event = self._event(made, data)
        if press is not None:
            event["message"] = press.message.to_wire()
        made.delivered = self._hub.dispatch("INTERACTION_CREATE", event, guild_id=command.guild_id) > 0
        return made

    async def wait_until_settled(self, interaction: Interaction, wait_s: float) -> None:
        """Wait until the bot has answered or can no longer answer, at most `wait_s`."""
        if not interaction.delivered:
            return
        deadline = time.monotonic() + wait_s
        while interaction.status in {"waiting", "deferred"}:
            left_s = deadline - time.monotonic()
            if interaction.status == "waiting":
                left_s = min(left_s, interaction.answer_s - interaction.age_s + 0.01)
            if left_s <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s), interaction.changed:
                    await interaction.changed.wait()

    async def respond(self, interaction_id: int | None, token: str, body: Wire, files: list[Wire]) -> Interaction:
        """Store the bot's first answer.

        :raises DiscordError: too late, or not the first answer.
        """
        interaction = self._find(token)
        if interaction.id != interaction_id or (interaction.is_late and not interaction.deferred):
            raise unknown("Interaction")
        if interaction.acknowledged_after_s is not None:
            raise DiscordError(400, 40060, "Interaction has already been acknowledged.")
        kind, data = body.get("type"), body.get("data")
        content = data if isinstance(data, dict) else {}
        flags = content.get("flags", 0)
        if kind == MESSAGE:
            self._answer(interaction, content, files)
        elif kind == DEFERRED:
            interaction.deferred = True
        elif kind == DEFERRED_UPDATE and interaction.press is not None:
            interaction.deferred = interaction.updates = True
        elif kind == UPDATE and interaction.press is not None:
            interaction.updates = True
            self._update(interaction, interaction.press, content, files)
        else:
            raise required("type")
        interaction.ephemeral = bool(isinstance(flags, int) and flags & EPHEMERAL)
        interaction.acknowledged_after_s = interaction.age_s
        await _notify_waiters(interaction)
        return interaction

    async def follow_up(self, token: str, body: Wire, files: list[Wire]) -> Message:
        """Store another answer; after a deferral, the first one replaces it.

        :raises DiscordError: no first answer, or the token has expired.
        """
        interaction = self._acknowledged(token)
        if interaction.deferred and not interaction.answers and not interaction.updates:
            return await self.edit(token, body, files)
        message = self._answer(interaction, body, files)
        await _notify_waiters(interaction)
        return message

    async def edit(self, token: str, body: Wire, files: list[Wire]) -> Message:
        """Edit the first answer, or store it after a deferral.

        :raises DiscordError: no first answer, or the token has expired.
        """
        interaction = self._acknowledged(token)
        if interaction.updates and interaction.press is not None:
            message = self._update(interaction, interaction.press, body, files)
        elif not interaction.answers:
            message = self._answer(interaction, body, files, ephemeral=interaction.ephemeral)
        else:
            message = interaction.answers[0] = self._edited(interaction.answers[0], body, files)
            self._post(message)
        await _notify_waiters(interaction)
        return message

    async def delete(self, token: str) -> None:
        """Delete the first answer.

        :raises DiscordError: not answered yet, or the token has expired.
        """
        interaction = self._acknowledged(token)
        message = self.original(token)
        interaction.answers = [one for one in interaction.answers if one.id != message.id]
        if not interaction.ephemeral:
            self._messages.delete(message.channel_id, message.id)
        await _notify_waiters(interaction)

    def original(self, token: str) -> Message:
        """Return the first answer.

        :raises DiscordError: not answered yet.
        """
        interaction = self._acknowledged(token)
        if interaction.updates and interaction.press is not None:
            return interaction.press.message
        if not interaction.answers:
            raise unknown("Message")
        return interaction.answers[0]

    def _update(self, interaction: Interaction, press: Press, body: Wire, files: list[Wire]) -> Message:
        """Edit the message that has the component."""
        message = press.source.answers[press.place] = self._edited(press.message, body, files)
        interaction.answers = [message]
        self._post(message)
        return message

    def _edited(self, before: Message, body: Wire, files: list[Wire]) -> Message:
        """Apply an edit: what the body leaves out stays."""
        kept: Wire = {"content": before.content, "embeds": before.embeds, "components": before.components}
        fresh = self._messages.build(before.channel_id, before.author, kept | body, files)
        return before.model_copy(
            update={
                "content": fresh.content,
                "embeds": fresh.embeds,
                "components": fresh.components,
                "edited_at": datetime.now(UTC),
            }
        )

    def _answer(self, interaction: Interaction, body: Wire, files: list[Wire], *, ephemeral: bool = False) -> Message:
        message = self._messages.build(interaction.command.channel_id, self._application.bot, body, files)
        message.invoked_by = f"{interaction.command.user.name} /{interaction.command.path}"
        if ephemeral:
            message.flags |= EPHEMERAL
        interaction.answers.append(message)
        self._post(message)
        return message

    def _post(self, message: Message) -> None:
        if not message.flags & EPHEMERAL:
            self._messages.post(message)

    def _find(self, token: str) -> Interaction:
        for interaction in self.recent:
            if secrets.compare_digest(interaction.token, token) and interaction.age_s < TOKEN_S:
                return interaction
        raise unknown("Interaction")

    def _acknowledged(self, token: str) -> Interaction:
        try:
            interaction = self._find(token)
        except DiscordError:
            raise unknown("Webhook") from None
        if interaction.acknowledged_after_s is None:
            raise unknown("Webhook")
        return interaction

    def _event(self, made: Interaction, data: Wire) -> Wire:
        command = made.command
        event: Wire = {
            **FIXED_FIELDS["interaction"],
            "id": str(made.id),
            "application_id": str(self._application.id),
            "type": COMMAND if made.press is None else COMPONENT,
            "data": data,
            "channel_id": str(command.channel_id),
            "token": made.token,
            "locale": command.locale,
        }
        return event | (
            _in_direct_messages(command.user) if command.guild is None else _in_guild(command.guild, command)
        )


def _in_guild(guild: Guild, command: Command) -> Wire:
    member = guild.members[command.user.id].to_wire(command.user)
    return {
        "context": IN_GUILD,
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": guild.preferred_locale, "features": []},
        "guild_locale": guild.preferred_locale,
        "channel": guild.channels[command.channel_id].to_wire(),
        "member": member | {"permissions": str(guild.permissions_of(command.user.id))},
        "app_permissions": str(EVERYONE),
        "authorizing_integration_owners": {"0": str(guild.id)},
    }


def _in_direct_messages(user: User) -> Wire:
    return {
        "context": IN_DIRECT_MESSAGES,
        "channel": direct_channel_to_wire(user),
        "user": user.to_wire(),
        "app_permissions": str(DIRECT),
        "authorizing_integration_owners": {"0": "0"},
    }


def _nested(path: list[str], values: Mapping[str, object], known: object) -> list[Wire]:
    declared = [one for one in known if isinstance(one, dict)] if isinstance(known, list) else []
    if path:
        name, *rest = path
        found = next((one for one in declared if one.get("name") == name), {})
        kind = SUBCOMMAND_GROUP if rest else SUBCOMMAND
        return [{"name": name, "type": kind, "options": _nested(rest, values, found.get("options"))}]
    types = {one.get("name"): one.get("type") for one in declared}
    return [{"name": name, "type": types.get(name, 3), "value": value} for name, value in values.items()]


def _children(message: Message) -> list[Wire]:
    """List the components of a message, out of their rows."""
    rows = [row.get("components") for row in message.components]
    return [child for row in rows if isinstance(row, list) for child in row if isinstance(child, dict)]


async def _notify_waiters(interaction: Interaction) -> None:
    async with interaction.changed:
        interaction.changed.notify_all()
