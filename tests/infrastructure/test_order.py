from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.infrastructure.order import spread


def _module(name: str, tests: int) -> list[pytest.Item]:
    return [cast("pytest.Item", SimpleNamespace(path=Path(name), name=f"{name}{number}")) for number in range(tests)]


def test_modules_that_wait_are_spread_and_stay_whole() -> None:
    items = [*_module("a", 2), *_module("b", 2), *_module("w", 2), *_module("x", 1), *_module("c", 2)]
    waits = [item.path.name in "wx" for item in items]
    names = [item.name for item in spread(items, waits)]
    assert names == ["a0", "a1", "w0", "w1", "b0", "b1", "x0", "c0", "c1"]


def test_order_stays_where_no_test_waits() -> None:
    items = [*_module("b", 2), *_module("a", 1)]
    assert spread(items, [False] * 3) == items
