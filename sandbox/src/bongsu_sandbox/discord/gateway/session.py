"""A session of the gateway: it outlives its connection for a while, so that it can be resumed."""

import asyncio
import json
import secrets
import time
from collections import deque
from dataclasses import dataclass

from bongsu_sandbox.discord.errors import Wire

DISPATCH = 0
KEPT_EVENTS = 1000
RESUMABLE_S = 120.0


@dataclass(frozen=True)
class Close:
    """Ends a connection with a code of the gateway's."""

    code: int
    reason: str = ""


@dataclass(frozen=True)
class Cut:
    """Ends a connection without a word."""


Outgoing = str | Close | Cut
"""A message as text, or how the connection ends."""


def packet(op: int, data: object = None, event: str | None = None, sequence: int | None = None) -> str:
    """A message of the gateway as JSON."""
    return json.dumps({"op": op, "d": data, "s": sequence, "t": event}, ensure_ascii=False, separators=(",", ":"))


class Session:
    """What a bot's shard has been told."""

    def __init__(self, *, shard_id: int, shards: int, intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard_id = shard_id
        self.shards = shards
        self.intents = intents
        self.sequence = 0
        self._sent: deque[tuple[int, str]] = deque(maxlen=KEPT_EVENTS)
        self._connection: asyncio.Queue[Outgoing] | None = None
        self._left_at = time.monotonic()

    @property
    def connected(self) -> bool:
        """Whether somebody hears it."""
        return self._connection is not None

    @property
    def over(self) -> bool:
        """Whether it is too late to resume it."""
        return not self.connected and time.monotonic() - self._left_at > RESUMABLE_S

    def attach(self, connection: asyncio.Queue[Outgoing]) -> None:
        """This connection gets the events from now on; one that had them is closed."""
        if self._connection is not None:
            self._connection.put_nowait(Close(4000, "Resumed elsewhere"))
        self._connection = connection

    def detach(self, connection: asyncio.Queue[Outgoing]) -> None:
        """The connection is gone."""
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
        """End its connection; False if it has none."""
        if self._connection is None:
            return False
        self._connection.put_nowait(how)
        return True

    def missed_since(self, sequence: int) -> list[str] | None:
        """The events after one that the bot has; None if they are not kept any more, or it is ahead of us."""
        if sequence > self.sequence:
            return None
        missed = [text for number, text in self._sent if number > sequence]
        return missed if len(missed) == self.sequence - sequence else None
