"""Messages of channels, stored in a file."""

import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from bongsu_sandbox.discord.errors import DiscordError, invalid_form, required, unknown
from bongsu_sandbox.discord.snowflakes import Snowflakes, parse
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire
from bongsu_sandbox.line_file import LineFile

KEPT_PER_CHANNEL = 200
NONCE_S = 300.0
EPHEMERAL = 1 << 6
LOADING = 1 << 7
_MAX_CONTENT_CHARS = 2000
_MAX_EMBEDS = 10
_MAX_NONCE_CHARS = 25
ACTION_ROW, BUTTON = 1, 2
LINK, PREMIUM = 5, 6
_MAX_ROWS = _MAX_BUTTONS = 5
_MAX_CUSTOM_ID_CHARS = 100


class Message(BaseModel):
    id: int
    channel_id: int
    author: User
    content: str = ""
    embeds: list[Wire] = []
    attachments: list[Wire] = []
    components: list[Wire] = []
    nonce: str | int | None = None
    flags: int = 0
    mentions_everyone: bool = False
    is_deleted: bool = False
    sent_at: datetime
    edited_at: datetime | None = None
    invoked_by: str | None = None
    """For an answer to a slash command: user and command."""

    def to_wire(self) -> Wire:
        wire: Wire = {
            **FIXED_FIELDS["message"],
            "id": str(self.id),
            "channel_id": str(self.channel_id),
            "author": self.author.to_wire(),
            "content": self.content,
            "timestamp": self.sent_at.isoformat(),
            "edited_timestamp": self.edited_at.isoformat() if self.edited_at else None,
            "attachments": self.attachments,
            "embeds": self.embeds,
            "components": self.components,
            "flags": self.flags,
            "mention_everyone": self.mentions_everyone,
        }
        if self.nonce is not None:
            wire["nonce"] = self.nonce
        return wire


class Messages:
    """Keeps the newest messages of each channel in memory, and all of them in a file."""

    def __init__(self, path: Path, snowflakes: Snowflakes) -> None:
        self._file = LineFile(path)
        self._snowflakes = snowflakes
        self._channels: dict[int, deque[Message]] = {}
        self._nonces: dict[tuple[int, int, str], tuple[float, Message]] = {}
        self.count = 0
        for _, message in self._file.entries(Message.model_validate_json):
            self._keep(message)

    def list_newest(self, channel_id: int) -> list[Message]:
        """List a channel's newest messages, oldest first."""
        return [*self._channels.get(channel_id, ())]

    def find(self, channel_id: int, message_id: int | None) -> Message:
        """Find a message.

        :raises DiscordError: unknown ID, or no longer in memory.
        """
        for message in self._channels.get(channel_id, ()):
            if message.id == message_id:
                return message
        raise unknown("Message")

    def send(self, channel_id: int, author: User, body: Wire, files: list[Wire] | None = None) -> Message:
        """Post a message. With `enforce_nonce`, a repeated nonce returns the earlier message.

        :raises DiscordError: invalid content, embeds or nonce, or an empty message.
        """
        nonce = body.get("nonce")
        enforced = (channel_id, author.id, str(nonce)) if body.get("enforce_nonce") and nonce is not None else None
        before = self._nonces.get(enforced) if enforced is not None else None
        if before is not None and time.monotonic() - before[0] < NONCE_S:
            return before[1]
        message = self.build(channel_id, author, body, files)
        if enforced is not None:
            self._nonces[enforced] = (time.monotonic(), message)
        self.post(message)
        return message

    def build(self, channel_id: int, author: User, body: Wire, files: list[Wire] | None = None) -> Message:
        """Build a message without posting it.

        :raises DiscordError: invalid content, embeds or nonce, or an empty message.
        """
        content, embeds, nonce = body.get("content") or "", body.get("embeds") or [], body.get("nonce")
        flags = body.get("flags") or 0
        if not isinstance(content, str):
            raise invalid_form("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        if len(content) > _MAX_CONTENT_CHARS:
            raise invalid_form("content", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_CONTENT_CHARS} or fewer in length.")
        if not isinstance(embeds, list) or len(embeds) > _MAX_EMBEDS:
            raise invalid_form("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_EMBEDS} or fewer in length.")
        if nonce is not None and (not isinstance(nonce, str | int) or len(str(nonce)) > _MAX_NONCE_CHARS):
            raise invalid_form("nonce", "NONCE_TYPE_TOO_LONG", f"Must be {_MAX_NONCE_CHARS} or fewer in length.")
        if not content and not embeds and not files:
            raise DiscordError(400, 50006, "Cannot send an empty message")
        attachments: list[Wire] = [
            {"id": str(self._snowflakes.make()), "url": "", "proxy_url": "", **file} for file in files or []
        ]
        return Message(
            id=self._snowflakes.make(),
            channel_id=channel_id,
            author=author,
            content=content,
            embeds=[_complete_embed(embed) for embed in embeds],
            attachments=attachments,
            components=_components(body.get("components") or []),
            nonce=nonce,
            flags=flags if isinstance(flags, int) else 0,
            mentions_everyone=_mentions_everyone(content, body.get("allowed_mentions")),
            sent_at=datetime.now(UTC),
        )

    def post(self, message: Message) -> None:
        """Post a message, or an edit of one."""
        self._file.append(message.model_dump_json().encode())
        self._keep(message)

    def edit(self, channel_id: int, message_id: int | None, author: User, body: Wire) -> Message:
        """Edit a message of the author: what the body leaves out stays.

        :raises DiscordError: unknown message, another author's, or invalid content.
        """
        before = self.find(channel_id, message_id)
        if before.author.id != author.id:
            raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
        kept: Wire = {"content": before.content, "embeds": before.embeds, "components": before.components}
        fresh = self.build(channel_id, author, kept | body)
        edited = fresh.model_copy(
            update={
                "id": before.id,
                "nonce": before.nonce,
                "sent_at": before.sent_at,
                "edited_at": datetime.now(UTC),
                "attachments": before.attachments,
            }
        )
        self.post(edited)
        return edited

    def delete(self, channel_id: int, message_id: int | None) -> None:
        """Delete a message.

        :raises DiscordError: unknown message.
        """
        found = self.find(channel_id, message_id)
        self._channels[channel_id].remove(found)
        self._file.append(found.model_copy(update={"is_deleted": True}).model_dump_json().encode())

    def list_page(self, channel_id: int, *, before: object, after: object, limit: int) -> list[Message]:
        """List messages, newest first."""
        older_than, newer_than = parse(before), parse(after)
        found = [
            message
            for message in self._channels.get(channel_id, ())
            if (older_than is None or message.id < older_than) and (newer_than is None or message.id > newer_than)
        ]
        return found[::-1][:limit]

    def close(self) -> None:
        self._file.close()

    def _keep(self, message: Message) -> None:
        channel = self._channels.setdefault(message.channel_id, deque(maxlen=KEPT_PER_CHANNEL))
        for place, known in enumerate(channel):
            if known.id == message.id:
                if message.is_deleted:
                    del channel[place]
                else:
                    channel[place] = message
                return
        if message.is_deleted:
            return
        channel.append(message)
        self.count += 1


def _mentions_everyone(content: str, allowed: object) -> bool:
    """Whether a message notifies all members: by default a mention does, and `allowed_mentions` may prevent it."""
    kinds = allowed.get("parse", []) if isinstance(allowed, dict) else ["everyone"]
    return "everyone" in kinds and any(mention in content for mention in ("@everyone", "@here"))


def _complete_embed(embed: object) -> Wire:
    """Add what Discord adds to an embed.

    :raises DiscordError: it is not an object, or a field lacks its name or value.
    """
    if not isinstance(embed, dict):
        raise invalid_form("embeds", "MODEL_TYPE_CONVERT", "Only dictionaries may be used.")
    made: Wire = {"type": "rich", **embed}
    fields = embed.get("fields") or []
    if not isinstance(fields, list) or any(
        not isinstance(one, dict) or not {"name", "value"} <= {*one} for one in fields
    ):
        raise required("embeds.fields.name")
    if fields:
        made["fields"] = [{"inline": False, **one} for one in fields]
    return made


def _components(wanted: object) -> list[Wire]:
    """Check action rows and their components, and return them.

    :raises DiscordError: another shape, too many, or a custom ID that is missing, too long or given twice.
    """
    if not isinstance(wanted, list) or len(wanted) > _MAX_ROWS:
        raise invalid_form("components", "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {_MAX_ROWS} in length.")
    seen: set[str] = set()
    for row_place, row in enumerate(wanted):
        children = row.get("components") if isinstance(row, dict) and row.get("type") == ACTION_ROW else None
        if not isinstance(children, list) or not 0 < len(children) <= _MAX_BUTTONS:
            raise invalid_form(f"components.{row_place}", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        for place, child in enumerate(children):
            at = f"components.{row_place}.components.{place}"
            if not isinstance(child, dict) or not isinstance(child.get("type"), int):
                raise invalid_form(f"{at}.type", "BASE_TYPE_REQUIRED", "This field is required")
            if child["type"] == BUTTON and child.get("style") in (LINK, PREMIUM):
                continue
            custom_id = child.get("custom_id")
            if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MAX_CUSTOM_ID_CHARS:
                raise invalid_form(f"{at}.custom_id", "BASE_TYPE_REQUIRED", "This field is required")
            if custom_id in seen:
                raise invalid_form(
                    f"{at}.custom_id",
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                )
            seen.add(custom_id)
    return wanted
