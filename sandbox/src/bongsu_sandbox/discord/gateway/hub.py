"""The sessions of the gateway, and the dispatch of events."""

import time
from dataclasses import dataclass
from typing import Final

from bongsu_sandbox.discord.gateway.session import Outgoing, Session, packet
from bongsu_sandbox.discord.snowflakes import shard_of
from bongsu_sandbox.discord.wire import Wire

GUILDS_INTENT = 1 << 0
HEARTBEAT_MS = 41_250
HEARTBEAT: Final = 1


@dataclass
class Counts:
    """Counts since the start or the last reset."""

    connections: int = 0
    identifies: int = 0
    resumes: int = 0
    refused: int = 0
    heartbeats: int = 0


class Hub:
    """Keeps every session and dispatches each event to its shard."""

    def __init__(self, *, session_starts: int) -> None:
        self.session_starts = session_starts
        """The session starts a day."""
        self._sessions: dict[str, Session] = {}
        self.counts = Counts()
        self.heartbeat_ms = HEARTBEAT_MS
        self.shards = 1
        """The number of shards that `/gateway/bot` recommends."""
        self.max_concurrency = 1
        self.identify_s = 0.0
        """The period in which each bucket of `max_concurrency` takes one IDENTIFY: 5 s at Discord; 0 does not limit."""
        self._identified_at: dict[int, float] = {}

    @property
    def sessions(self) -> list[Session]:
        """The sessions that are connected or may be resumed."""
        for session in [session for session in self._sessions.values() if session.is_expired]:
            self.forget(session)
        return [*self._sessions.values()]

    def start(self, *, shard_id: int, shards: int, intents: int) -> Session:
        session = Session(shard_id=shard_id, shards=shards, intents=intents)
        self._sessions[session.id] = session
        return session

    def admit_identify(self, shard_id: int) -> bool:
        """Whether a shard may IDENTIFY now: one of each bucket in a period. A refused one counts for nothing."""
        bucket, now = shard_id % self.max_concurrency, time.monotonic()
        if now - self._identified_at.get(bucket, -self.identify_s) < self.identify_s:
            return False
        self._identified_at[bucket] = now
        return True

    def request_heartbeats(self) -> int:
        """Ask the clients of all connections for a heartbeat. Returns their number."""
        return sum(session.end(packet(HEARTBEAT)) for session in self.sessions)

    def find(self, session_id: str) -> Session | None:
        """Find a session that may be resumed."""
        return next((session for session in self.sessions if session.id == session_id), None)

    def forget(self, session: Session) -> None:
        """End a session: it gets no more events, and cannot be resumed."""
        self._sessions.pop(session.id, None)
        session.is_over = True

    def dispatch(self, event: str, data: Wire, *, guild_id: int | None) -> int:
        """Dispatch an event to the shard of its guild, or to shard 0. Returns the number of sessions."""
        sent = 0
        for session in self.sessions:
            shard_id = 0 if guild_id is None else shard_of(guild_id, session.shards)
            wanted = session.intents & GUILDS_INTENT or not event.startswith("GUILD_")
            if session.shard_id == shard_id and wanted:
                session.dispatch(event, data)
                sent += session.is_connected
        return sent

    def end_connections(self, how: Outgoing, shard_id: int | None = None, *, resumable: bool) -> int:
        """Close the connections of all sessions or of one shard. Returns their number."""
        chosen = [session for session in self.sessions if shard_id in (None, session.shard_id)]
        ended = sum(session.end(how) for session in chosen)
        for session in chosen:
            if not resumable:
                self.forget(session)
        return ended
