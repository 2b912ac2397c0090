"""The database log: slow and failed statements, without their values."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from bongsu.runtime.logging import DATABASE, get_logger

log = get_logger(DATABASE)

NO_SUCH_TABLE = 1146
_corruption_is_reported: Final = ContextVar("corruption_is_reported", default=False)


def is_corruption(error: BaseException | None) -> bool:
    """Whether a driver's error means that the SQLite file is damaged; its subclasses mean other things."""
    return type(error) is sqlite3.DatabaseError


@contextmanager
def report_corruption_once() -> Iterator[None]:
    """Keep a damaged file out of the log, for code that reports it to the operator itself."""
    token = _corruption_is_reported.set(True)
    try:
        yield
    finally:
        _corruption_is_reported.reset(token)


def log_statements(engine: AsyncEngine, *, slow_ms: float = 200.0) -> None:
    """Log each statement of this engine that takes `slow_ms` or longer, and each that fails."""
    sync: Engine = engine.sync_engine

    @event.listens_for(sync, "before_cursor_execute")
    def started(
        connection: Connection,
        _cursor: DBAPICursor,
        _statement: str,
        _parameters: object,
        _context: ExecutionContext,
        _many: bool,
    ) -> None:
        connection.info["bongsu_started"] = time.perf_counter()

    @event.listens_for(sync, "after_cursor_execute")
    def finished(
        connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        _parameters: object,
        _context: ExecutionContext,
        many: bool,
    ) -> None:
        elapsed_ms = (time.perf_counter() - connection.info.get("bongsu_started", 0.0)) * 1000
        if elapsed_ms >= slow_ms:
            log.warning(
                "statement.slow",
                statement=statement,
                elapsed_ms=round(elapsed_ms, 1),
                rows=cursor.rowcount,
                executemany=many,
            )

    @event.listens_for(sync, "handle_error")
    def failed(context: ExceptionContext) -> None:
        # The driver's message may quote values, a duplicate key for example: only its number is logged.
        arguments = context.original_exception.args
        number = arguments[0] if arguments and isinstance(arguments[0], int) else None
        if number == NO_SUCH_TABLE and (context.statement or "").startswith("DESCRIBE "):
            return  # SQLAlchemy checks whether a table exists, and MySQL answers so when it does not
        if _corruption_is_reported.get() and is_corruption(context.original_exception):
            return
        log.warning(
            "statement.failed",
            statement=context.statement,
            error=type(context.original_exception).__name__,
            number=number,
        )
