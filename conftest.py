"""Fixtures that every test may use: `tests/infrastructure/servers.py` lists them.

And what keeps a long run fast, and a slow one whole.
"""

import gc
import itertools
import os
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog
from fastapi.dependencies import models
from hypothesis import HealthCheck, settings

from tests.infrastructure import order, statements

pytest_plugins = [
    "pytester",
    "tests.infrastructure.servers",
    "tests.infrastructure.templates",
    "tests.infrastructure.routes",
    "tests.infrastructure.threads",
    "tests.fake",
]

# Until all tests are collected nothing becomes garbage, and each collection of it would walk all imported modules.
gc.disable()

# A property test tries the same examples in every run, so that its verdict never depends on chance. An example has no
# deadline: how long it takes depends on how busy the machine is.
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# `make fuzz` tries random examples, reports how to reproduce a failure, and replays it in its next run.
settings.register_profile(
    "fuzz",
    derandomize=False,
    max_examples=1_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

# Without this, structlog renders a traceback with the variables of each frame by rich, which takes seconds.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])

# FastAPI (0.165) remembers the last 4,096 endpoints, and with an endpoint its app, the app's database and its engines.
ENDPOINT_CACHES = [value for value in vars(models).values() if hasattr(value, "cache_clear")]
FINISHED = itertools.count(1)

# For the heartbeats, pauses and rates of a gateway: much longer than they compute.
TESTS_THAT_WAIT = Path(__file__).parent / "services" / "bot" / "tests"


statements.share()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two processes a core, `--maxprocesses` at most: many tests wait for a server, a process or a time-out."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector overlook what lives to the end of the run: modules and thousands of collected tests.

    Else each of its full collections walks all of them.
    """
    try:
        return (yield)
    finally:
        gc.freeze()
        # One collection for 20,000 objects: with Python's 700, collections took a tenth of the run's CPU time.
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = order.spread(items, [item.path.is_relative_to(TESTS_THAT_WAIT) for item in items])


def pytest_runtest_logfinish() -> None:
    """Let go of the apps of some tests: after 200 those that FastAPI holds make a garbage collection take a second.

    After each test it would take a tenth of the time of a test with an app to fill the caches again.
    """
    if next(FINISHED) % 50 == 0:
        for cache in ENDPOINT_CACHES:
            cache.cache_clear()
