"""Structured logs: dotted, past-tense event names with their data in fields.

Operators look for two loggers by name: `bongsu.api` (one line a request) and `bongsu.database` (slow and failed
statements). A token, secret, address or body is never a field.
"""

import asyncio
import contextlib
import json
import logging
import sys
from functools import partial
from typing import Any, Protocol, TextIO

import structlog

API = "bongsu.api"
DATABASE = "bongsu.database"


class Logger(Protocol):
    """What the code uses of a structlog logger."""

    def debug(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - any value can be logged
    def info(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - any value can be logged
    def warning(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - any value can be logged
    def error(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - any value can be logged
    def exception(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - any value can be logged


def get_logger(name: str) -> Logger:
    """A logger by its dotted name."""
    logger: Logger = structlog.get_logger(name)
    return logger


def _is_not_cancellation(record: logging.LogRecord) -> bool:
    """Leave out the traceback of a request that was cancelled: the API log has a line for it.

    uvicorn logs a request that was open at the stop, SQLAlchemy a rollback that the cancellation interrupts.
    """
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


class _LineLogger(structlog.WriteLogger):
    """Writes finished lines. `add_logger_name` takes the name from it."""

    def __init__(self, file: TextIO, name: str) -> None:
        super().__init__(file)
        self.name = name

    def msg(self, message: str) -> None:
        # As in the standard library, a line that cannot be written fails nothing: the reader of a pipe may be gone.
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = msg


def _at_least(level: str) -> structlog.typing.Processor:
    """Drop lines below a level. A processor, so that tests that capture lines capture all."""
    levels = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
    lowest = levels[level.lower()]

    def keep(logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict) -> Any:  # noqa: ANN401 - the processor's own
        del logger
        if levels[method] < lowest:
            raise structlog.DropEvent
        return event

    return keep


def _never_failing(renderer: structlog.typing.Processor) -> structlog.typing.Processor:
    """As in the standard library, a line that cannot be rendered fails nothing."""

    def render(logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict) -> Any:  # noqa: ANN401 - the processor's own
        name = event.get("event")
        try:
            return renderer(logger, method, event)
        except Exception as error:  # noqa: BLE001 - any value can be logged
            return json.dumps({"event": str(name), "level": method, "not_rendered": type(error).__name__})

    return render


def configure_logging(*, level: str = "INFO", as_json: bool = True) -> None:
    """Configure logging for the whole process, once, in the entry point. Records of libraries get the same format."""
    described: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=28, exception_formatter=structlog.dev.plain_traceback
        )
    )
    # Without local variables: a crash while a password is hashed must not log it.
    tracebacks = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    )
    rendered = [tracebacks, renderer] if as_json else [renderer]
    # Our lines do not pass through the standard library's logging: that takes more than twice the time.
    structlog.configure(
        processors=[_at_least(level), *described, *rendered[:-1], _never_failing(renderer)],
        logger_factory=partial(_LineLogger, sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_not_cancellation)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=described,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These log each step at INFO, some with addresses.
    for noisy in ("alembic", "aiobotocore", "botocore", "httpx", "httpcore", "aiormq", "aio_pika", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
