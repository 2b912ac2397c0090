"""The order of the tests."""

from collections.abc import Sequence
from itertools import groupby

import pytest


def spread(items: Sequence[pytest.Item], waits: Sequence[bool]) -> list[pytest.Item]:
    """Spread the modules whose tests wait evenly among the others: the cores then have work during each wait.

    :param waits: for each item, whether it waits more than it computes.
    """
    by_path = groupby(zip(items, waits, strict=True), lambda each: (each[0].path, each[1]))
    modules = [(does_wait, [item for item, _ in each]) for (_, does_wait), each in by_path]
    total = {kind: sum(len(tests) for does_wait, tests in modules if does_wait is kind) for kind in (True, False)}
    before = dict.fromkeys(total, 0)
    placed = []
    for does_wait, tests in modules:
        placed.append((before[does_wait] / total[does_wait], tests))
        before[does_wait] += len(tests)
    return [item for _, tests in sorted(placed, key=lambda each: each[0]) for item in tests]
