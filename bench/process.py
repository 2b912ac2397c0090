"""The event loop and the log lines of the services' processes."""

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from bongsu.process.server import loop_factory
from bongsu.runtime.logging import configure_logging

T = TypeVar("T")


def run_as_a_process_does(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the event loop that the services have."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


@contextlib.contextmanager
def logging_as_a_process_does() -> Iterator[None]:
    """Write log lines to nowhere: the cost of a request includes its line of JSON, and the report does not."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        with contextlib.redirect_stderr(nowhere):
            configure_logging()
        yield
