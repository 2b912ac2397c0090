"""The gateway's sessions, and what is sent to them."""

from dataclasses import dataclass

from bongsu_sandbox.discord.errors import Wire
from bongsu_sandbox.discord.gateway.session import Outgoing, Session
from bongsu_sandbox.discord.snowflakes import shard_of

GUILDS_INTENT = 1 << 0
SESSION_STARTS = 1000
HEARTBEAT_MS = 41_250


@dataclass
class Counts:
    """How often what was done, since the start or the last reset."""

    connections: int = 0
    identifies: int = 0
    resumes: int = 0
    refused: int = 0
    heartbeats: int = 0


class Hub:
    """Every session; dispatches each event to the shard that it belongs to."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self.counts = Counts()
        self.heartbeat_ms = HEARTBEAT_MS
        self.shards = 1
        """How many shards `/gateway/bot` recommends."""

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are heard or may be resumed."""
        for session in [session for session in self._sessions.values() if session.over]:
            self.forget(session)
        return [*self._sessions.values()]

    @property
    def starts_left(self) -> int:
        """How many sessions may still be started today."""
        return max(0, SESSION_STARTS - self.counts.identifies)

    def start(self, *, shard_id: int, shards: int, intents: int) -> Session:
        """A new session."""
        session = Session(shard_id=shard_id, shards=shards, intents=intents)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str) -> Session | None:
        """A session that may be resumed."""
        return next((session for session in self.sessions if session.id == session_id), None)

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._sessions.pop(session.id, None)

    def dispatch(self, event: str, data: Wire, *, guild_id: int | None) -> int:
        """Send an event to the shard of its guild (without one to shard 0); how many sessions it went to."""
        sent = 0
        for session in self.sessions:
            shard_id = 0 if guild_id is None else shard_of(guild_id, session.shards)
            wanted = session.intents & GUILDS_INTENT or not event.startswith("GUILD_")
            if session.shard_id == shard_id and wanted:
                session.dispatch(event, data)
                sent += session.connected
        return sent

    def end_connections(self, how: Outgoing, shard_id: int | None = None) -> int:
        """End the connections of all sessions, or of a shard's; how many there were."""
        return sum(session.end(how) for session in self.sessions if shard_id in (None, session.shard_id))
