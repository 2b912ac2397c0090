"""One connection to the gateway: handshake, heartbeats and the session's messages."""

import asyncio
import contextlib
import json
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.access import TRANSPORT
from bongsu_sandbox.connection import reset
from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.gateway.hub import GUILDS_INTENT, Hub
from bongsu_sandbox.discord.gateway.session import Close, Cut, Outgoing, Session, packet
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire
from bongsu_sandbox.faults.service import Faults

NOT_RESUMABLE = frozenset({4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
"""Close codes that end the session as well: the client has to IDENTIFY, or must not come back."""
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11
MAX_SENDS = 120
SENDS_PERIOD_S = 60.0
"""How many messages, heartbeats included, a client may send in any such period."""
PRIVILEGED_INTENTS = (1 << 1) | (1 << 8) | (1 << 15)
ALL_INTENTS = (1 << 26) - 1
ACK_AFTER_S = 0.05
"""The least delay of a real network. py-cord 2.8.1 records the time of a heartbeat in another thread after it
is sent; it would count a faster acknowledgement from the previous heartbeat, and warn that it is 41 seconds late."""

FirstEvents = Callable[[int, int], Iterator[tuple[int, Wire | None]]]
"""Maps a shard and the number of shards to the bot's guilds, with the data of GUILD_CREATE (None: unavailable)."""


class Refused(Exception):
    """A violation of the protocol; the connection closes with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.close = Close(code, reason)


@dataclass(frozen=True)
class Gateway:
    """The collaborators of every connection."""

    hub: Hub
    application: Application
    faults: Faults
    first_events: FirstEvents
    stop: StopSignal
    allow_remote: bool


class Connection:
    """A bot's shard on a websocket."""

    def __init__(self, gateway: Gateway, socket: WebSocket, *, compressed: bool) -> None:
        self._gateway = gateway
        self._hub = gateway.hub
        self._socket = socket
        self._compressor = zlib.compressobj() if compressed else None
        self._outgoing: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._session: Session | None = None
        self._beat_at = time.monotonic()
        self._received: deque[float] = deque(maxlen=MAX_SENDS)

    async def run(self) -> None:
        """Serve the connection until either side closes it."""
        self._hub.counts.connections += 1
        self._send(HELLO, {"heartbeat_interval": self._hub.heartbeat_ms, "_trace": ["sandbox"]})
        writer = asyncio.create_task(self._write())
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            if self._session is not None:
                self._session.detach(self._outgoing)

    def _send(self, op: int, data: object = None) -> None:
        self._outgoing.put_nowait(packet(op, data))

    async def _write(self) -> None:
        while True:
            item = await self._outgoing.get()
            if isinstance(item, Cut):
                reset(self._socket.scope[TRANSPORT])
                return
            if isinstance(item, Close):
                with contextlib.suppress(RuntimeError):  # the client was faster
                    await self._socket.close(item.code, item.reason)
                return
            try:
                if self._compressor is None:
                    await self._socket.send_text(item)
                else:
                    packed = self._compressor.compress(item.encode()) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
                    await self._socket.send_bytes(packed)
            except (WebSocketDisconnect, RuntimeError):
                return

    async def _read(self) -> None:
        try:
            while True:
                # A client that sends anything but heartbeats is as dead as one that is silent.
                left_s = self._beat_at + self._hub.heartbeat_ms / 1000 * 1.5 - time.monotonic()
                async with asyncio.timeout(max(left_s, 0)):
                    received = await self._socket.receive()
                if received["type"] == "websocket.disconnect":
                    self._left(received.get("code", 1006))
                    return
                self._count_received()
                await self._handle(_parse(received.get("text") or received.get("bytes")))
        except TimeoutError:
            self._outgoing.put_nowait(Close(4009, "Session timed out."))
        except Refused as refused:
            self._outgoing.put_nowait(refused.close)
        # The writer ends the connection when it has sent what is before the close.
        while self._socket.client_state is WebSocketState.CONNECTED:
            await self._socket.receive()

    def _count_received(self) -> None:
        now = time.monotonic()
        if len(self._received) == MAX_SENDS and now - self._received[0] < SENDS_PERIOD_S:
            raise Refused(4008, "Rate limited.")
        self._received.append(now)

    def _left(self, code: int) -> None:
        # A bot that closes with these says that it will not come back to this session.
        if self._session is not None and code in (1000, 1001):
            self._hub.forget(self._session)

    async def _handle(self, message: Wire) -> None:
        data = message.get("d")
        match message.get("op"):
            case 1:  # heartbeat
                self._hub.counts.heartbeats += 1
                self._beat_at = time.monotonic()
                asyncio.get_running_loop().call_later(ACK_AFTER_S, self._send, HEARTBEAT_ACK)
            case 2:  # identify
                self._identify(_object(data))
            case 6:  # resume
                self._resume(_object(data))
            case 3 | 4 | 8 | 31:  # presence, voice state, request members, request sounds
                if not self._is_authenticated:
                    raise Refused(4003, "Not authenticated.")
            case _:
                raise Refused(4001, "Unknown opcode.")

    @property
    def _is_authenticated(self) -> bool:
        return self._session is not None and not self._session.is_over

    def _identify(self, data: Wire) -> None:
        if self._is_authenticated:
            raise Refused(4005, "Already authenticated.")
        self._hub.counts.identifies += 1
        if not isinstance(data.get("properties"), dict):
            raise Refused(4002, "Decode error.")
        self._authenticate(data)
        shard_id, shards = _shard(data.get("shard", [0, 1]))
        intents = data.get("intents")
        if not isinstance(intents, int) or not 0 <= intents <= ALL_INTENTS:
            raise Refused(4013, "Invalid intent(s).")
        if intents & PRIVILEGED_INTENTS:
            raise Refused(4014, "Disallowed intent(s).")
        if self._refused_by_fault():
            return
        if not self._hub.admit_identify(shard_id):
            self._hub.counts.refused += 1
            self._send(INVALID_SESSION, False)
            return
        self._session = self._hub.start(shard_id=shard_id, shards=shards, intents=intents)
        self._session.attach(self._outgoing)
        self._welcome(self._session)
        self._end_by_fault()

    def _welcome(self, session: Session) -> None:
        application = self._gateway.application
        guilds = [*self._gateway.first_events(session.shard_id, session.shards)]
        ready: Wire = {
            **FIXED_FIELDS["ready"],
            "user": application.bot.to_own_wire(email=True),
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id, _ in guilds],
            "session_id": session.id,
            "resume_gateway_url": url_of(self._socket),
            "shard": [session.shard_id, session.shards],
            "application": {"id": str(application.id), "flags": 0},
        }
        session.dispatch("READY", ready)
        if not session.intents & GUILDS_INTENT:
            return
        for guild_id, event in guilds:
            if event is None:
                session.dispatch("GUILD_DELETE", {"id": str(guild_id), "unavailable": True})
            else:
                session.dispatch("GUILD_CREATE", event)

    def _resume(self, data: Wire) -> None:
        if self._is_authenticated:
            raise Refused(4005, "Already authenticated.")
        self._hub.counts.resumes += 1
        self._authenticate(data)
        if self._refused_by_fault():
            return
        session = self._hub.find(str(data.get("session_id")))
        sequence = parse(data.get("seq"))
        missed = None if session is None or sequence is None else session.missed_since(sequence)
        if session is None or missed is None:
            self._hub.counts.refused += 1
            self._send(INVALID_SESSION, False)
            return
        self._session = session
        session.attach(self._outgoing)
        for text in missed:
            self._outgoing.put_nowait(text)
        session.dispatch("RESUMED", {"_trace": ["sandbox"]})
        self._end_by_fault()

    def _authenticate(self, data: Wire) -> None:
        if data.get("token") != self._gateway.application.bot_token:
            self._hub.counts.refused += 1
            raise Refused(4004, "Authentication failed.")

    def _end_by_fault(self) -> None:
        if self._gateway.faults.find_hit("gateway", "accept_then_reset") is not None:
            self._outgoing.put_nowait(Close(4000, "Unknown error."))

    def _refused_by_fault(self) -> bool:
        fault = self._gateway.faults.find_hit("gateway", "invalid_session", "error", "throttle")
        if fault is None:
            return False
        if fault.kind == "invalid_session":
            self._hub.counts.refused += 1
            self._send(INVALID_SESSION, False)
            return True
        if fault.kind == "throttle":
            raise Refused(4008, "Rate limited.")
        raise Refused(int(fault.detail) if isinstance(fault.detail, float) else 4000, "Unknown error.")


def url_of(socket: WebSocket) -> str:
    """The gateway's address, as this client reached it."""
    url = socket.url
    return f"{url.scheme}://{url.netloc}{url.path}"


def _parse(received: object) -> Wire:
    if not isinstance(received, str | bytes):
        raise Refused(4002, "Decode error.")
    try:
        return _object(json.loads(received))
    except ValueError:
        raise Refused(4002, "Decode error.") from None


def _object(data: object) -> Wire:
    if not isinstance(data, dict):
        raise Refused(4002, "Decode error.")
    return data


def _shard(value: object) -> tuple[int, int]:
    match value:
        case [int(shard_id), int(shards)] if 0 <= shard_id < shards:
            return shard_id, shards
        case _:
            raise Refused(4010, "Invalid shard.")
