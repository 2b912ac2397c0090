"""The names of tests, for lists of what they show."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]

Shown = list[tuple[str, str]]
"""Tests, each as its file and its name."""


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file.

    :param path: from the root of the repository.
    """
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def find_missing(shown: Shown) -> Shown:
    """Return those that do not exist."""
    return [(path, name) for path, name in shown if name not in names_in(path)]
