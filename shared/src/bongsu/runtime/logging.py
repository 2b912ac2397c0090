"""Structured logs: dotted, past-tense event names with their data in fields.

Operators look for two loggers by name: `bongsu.api` (one line a request) and `bongsu.database` (slow and failed
statements). A token, secret, address or body is never a field.
"""

import asyncio
import logging
import sys
from typing import Any, Protocol

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
    """Leave out the traceback of a request that was open at the stop: the API log has a line for it."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


def configure_logging(*, level: str = "INFO", as_json: bool = True) -> None:
    """Configure logging for the whole process, once, in the entry point. Records of libraries get the same format."""
    shared: list[structlog.typing.Processor] = [
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
    exceptions: list[structlog.typing.Processor] = [tracebacks] if as_json else []
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, renderer],
        )
    )
    # No line shows them, and each record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").addFilter(_is_not_cancellation)
    # These log each step at INFO, some with addresses.
    for noisy in ("alembic", "aiobotocore", "botocore", "httpx", "httpcore", "aiormq", "aio_pika", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
