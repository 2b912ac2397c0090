"""Pings for pooled connections, only where one may be needed.

`pool_pre_ping` asks the server each time that a connection is used, and a round trip is what most statements cost. Here
a connection is pinged only after it lay idle, so that one that a restarted server has closed is still found out.
"""

import time

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

PING_AFTER_S = 1.0
"""A server takes longer to restart. What it closes sooner fails one statement, and the pool is made anew."""

_RETURNED_AT = "bongsu_returned_at"


def ping_what_lay_idle(engine: AsyncEngine) -> None:
    """Takes the place of `pool_pre_ping`, which must be off."""
    dialect = engine.dialect

    def is_alive(adapted: object, entry: ConnectionPoolEntry, fairy: object) -> None:
        del fairy
        returned_at = entry.info.get(_RETURNED_AT)
        if returned_at is None or time.monotonic() - returned_at < PING_AFTER_S:
            return
        try:
            dialect.do_ping(adapted)  # type: ignore[arg-type]  # the event's type is narrower than what it is
        except dialect.loaded_dbapi.Error as error:
            gone = DisconnectionError(f"the server has closed this connection: {error}")
            gone.invalidate_pool = True  # the others are as old
            raise gone from error

    def note_returned(adapted: object, entry: ConnectionPoolEntry) -> None:
        if adapted is not None:
            entry.info[_RETURNED_AT] = time.monotonic()

    event.listen(engine.sync_engine, "checkout", is_alive)
    event.listen(engine.sync_engine, "checkin", note_returned)
