"""Messages of channels, stored in a file."""

import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from bongsu_sandbox.discord.errors import DiscordError, invalid_form, unknown
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


class Message(BaseModel):
    id: int
    channel_id: int
    author: User
    content: str = ""
    embeds: list[Wire] = []
    attachments: list[Wire] = []
    nonce: str | int | None = None
    flags: int = 0
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
            "flags": self.flags,
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
        if not content and not embeds and not files and not body.get("components"):
            raise DiscordError(400, 50006, "Cannot send an empty message")
        attachments: list[Wire] = [
            {"id": str(self._snowflakes.make()), "url": "", "proxy_url": "", **file} for file in files or []
        ]
        return Message(
            id=self._snowflakes.make(),
            channel_id=channel_id,
            author=author,
            content=content,
            embeds=embeds,
            attachments=attachments,
            nonce=nonce,
            flags=flags if isinstance(flags, int) else 0,
            sent_at=datetime.now(UTC),
        )

    def post(self, message: Message) -> None:
        """Post a message, or an edit of one."""
        self._file.append(message.model_dump_json().encode())
        self._keep(message)

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
                channel[place] = message
                return
        channel.append(message)
        self.count += 1
