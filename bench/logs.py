"""Log lines, as a process of the services writes them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bongsu.runtime.logging import configure_logging


@contextlib.contextmanager
def logging_as_a_process_does() -> Iterator[None]:
    """Write log lines to nowhere: the cost of a request includes its line of JSON, and the report does not."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        with contextlib.redirect_stderr(nowhere):
            configure_logging()
        yield
