"""A session of the gateway, which can be resumed for a while after its connection ends."""

import asyncio
import json
import secrets
import time
from collections import deque
from dataclasses import dataclass

from bongsu_sandbox.discord.wire import Wire

DISPATCH = 0
KEPT_EVENTS = 1000
RESUMABLE_S = 120.0


@dataclass(frozen=True)
class Close:
    code: int
    reason: str = ""


@dataclass(frozen=True)
class Cut:
    """Cuts a connection."""


Outgoing = str | Close | Cut
"""A message as text, or the end of the connection."""


def packet(op: int, data: object = None, event: str | None = None, sequence: int | None = None) -> str:
    """A message of the gateway as JSON."""
    return json.dumps({"op": op, "d": data, "s": sequence, "t": event}, ensure_ascii=False, separators=(",", ":"))


class Session:
    """The events sent to a shard of the bot."""

    def __init__(self, *, shard_id: int, shards: int, intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard_id = shard_id
        self.shards = shards
        self.intents = intents
        self.sequence = 0
        self.is_over = False
        self._sent: deque[tuple[int, str]] = deque(maxlen=KEPT_EVENTS)
        self._connection: asyncio.Queue[Outgoing] | None = None
        self._left_at = time.monotonic()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def is_expired(self) -> bool:
        """Whether it can no longer be resumed."""
        return not self.is_connected and time.monotonic() - self._left_at > RESUMABLE_S

    def attach(self, connection: asyncio.Queue[Outgoing]) -> None:
        """Send the events to this connection from now on, and close the previous one."""
        if self._connection is not None:
            self._connection.put_nowait(Close(4000, "Resumed elsewhere"))
        self._connection = connection

    def detach(self, connection: asyncio.Queue[Outgoing]) -> None:
        if self._connection is connection:
            self._connection = None
            self._left_at = time.monotonic()

    def dispatch(self, event: str, data: Wire) -> None:
        """Send an event, now or when the session is resumed."""
        self.sequence += 1
        text = packet(DISPATCH, data, event, self.sequence)
        self._sent.append((self.sequence, text))
        if self._connection is not None:
            self._connection.put_nowait(text)

    def end(self, how: Outgoing) -> bool:
        """Close its connection, or send a message outside of its events. Returns False if it has none."""
        if self._connection is None:
            return False
        self._connection.put_nowait(how)
        return True

    def missed_since(self, sequence: int) -> list[str] | None:
        """Return the events after a sequence number; None if they are no longer kept or the number is too high."""
        if sequence > self.sequence:
            return None
        missed = [text for number, text in self._sent if number > sequence]
        return missed if len(missed) == self.sequence - sequence else None
