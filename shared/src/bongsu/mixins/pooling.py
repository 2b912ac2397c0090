"""Round trips that a pooled connection is spared.

SQLAlchemy's own precautions cost two of them each time that a connection is used: a ping before, and a ROLLBACK after
the COMMIT. Here a connection is pinged only after it lay idle, so that one that a restarted server has closed is still
found out, and rolled back only if a transaction was left open in it.
"""

import time
from collections.abc import Callable
from typing import Protocol, cast

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

PING_AFTER_S = 1.0
"""A server takes longer to restart. What it closes sooner fails one statement, and the pool is made anew."""

_RETURNED_AT = "bongsu_returned_at"


class _Adapted(Protocol):
    """What is used of SQLAlchemy's wrapper around an asyncio driver's connection."""

    driver_connection: object

    def rollback(self) -> None: ...


def spare_round_trips(
    engine: AsyncEngine,
    in_transaction: Callable[[object], bool],
    *,
    ping: bool,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Takes the place of `pool_pre_ping` and `pool_reset_on_return`, which must be off.

    :param in_transaction: whether a transaction is open, of a driver's connection, without asking the server.
    :param ping: whether there is a server that may have gone.
    :param monotonic: a clock that never goes back, in seconds.
    """
    dialect = engine.dialect

    def is_alive(adapted: object, entry: ConnectionPoolEntry, fairy: object) -> None:
        del fairy
        returned_at = entry.info.get(_RETURNED_AT)
        if returned_at is None or monotonic() - returned_at < PING_AFTER_S:
            return
        try:
            dialect.do_ping(adapted)  # type: ignore[arg-type]  # the event's type is narrower than what it is
        except dialect.loaded_dbapi.Error as error:
            gone = DisconnectionError(f"the server has closed this connection: {error}")
            gone.invalidate_pool = True  # the others are as old
            raise gone from error

    def note_returned(adapted: object, entry: ConnectionPoolEntry) -> None:
        if adapted is not None:
            entry.info[_RETURNED_AT] = monotonic()

    def roll_back(adapted: object, entry: ConnectionPoolEntry, state: PoolResetState) -> None:
        del entry
        if state.transaction_was_reset or state.terminate_only or not state.asyncio_safe:
            return
        connection = cast("_Adapted", adapted)
        if in_transaction(connection.driver_connection):
            connection.rollback()

    event.listen(engine.sync_engine, "reset", roll_back)
    if ping:
        event.listen(engine.sync_engine, "checkout", is_alive)
        event.listen(engine.sync_engine, "checkin", note_returned)
