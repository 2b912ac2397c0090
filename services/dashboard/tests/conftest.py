"""The dashboard over fakes."""

from collections.abc import Iterator

import pytest
import structlog

from services.dashboard.tests.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """A failure that a test provokes is not worth a page of coloured traceback."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(),
    )
    yield
    structlog.configure(**before)
