"""What a test needs and this machine lacks.

Such a test is skipped with a reason, fails in CI, and is counted at the end of the run.
"""

import os
from collections import defaultdict
from typing import NoReturn

import pytest
from _pytest.nodes import Node

PROPERTY = "cannot_run"


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def cannot_run(node: Node, *needs: tuple[str, str]) -> NoReturn:
    """Give the tests of ``node`` up because something is missing: skip it, or fail it where the variable CI is true.

    Each need is what is missing and, in the imperative, how to provide it: ``("MySQL", "install mariadb-server")``.
    A fixture passes its ``request.node``: a test, or a module where the fixture is the module's.
    """
    items = [node] if isinstance(node, pytest.Item) else [one for one in node.session.items if node in one.listchain()]
    for item in items:
        item.user_properties.extend((PROPERTY, list(need)) for need in needs)
    reason = "; ".join(f"needs {what}: {remedy}" for what, remedy in needs)
    if in_ci():
        pytest.fail(f"{reason} (in CI nothing may be skipped)", pytrace=False)
    pytest.skip(reason)


class NotRunSummary:
    """The pytest plugin that prints at the end what could not be run, one line a need."""

    def __init__(self) -> None:
        self._tests: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list | tuple):
                need, remedy = value
                self._tests[str(need), str(remedy)].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for (need, remedy), tests in sorted(self._tests.items()):
            count = f"{len(tests)} test" + ("s" if len(tests) > 1 else "")
            terminalreporter.write_line(f"not run: {count} needing {need}: {remedy}", yellow=True, bold=True)
