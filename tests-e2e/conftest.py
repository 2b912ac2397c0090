"""Whole-system tests. They speak HTTP, as users do, with a stack that `--stack` names."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# This folder's name cannot be a package's, so what its modules share is found by path.
sys.path.insert(0, str(Path(__file__).parent))

from harness.people import Person, sign_up
from harness.stack import EmbeddedStack, Stack


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "compose"),
        default="embedded",
        help="what the whole-system tests run against: the one-process mode, or docker compose",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--stack") == "compose":
        raise pytest.UsageError("--stack=compose is not there yet: the compose files are still to come")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that many tests share: they use people and addresses of their own, and set no faults."""
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[..., EmbeddedStack]]:
    """Makes stacks that are the test's own, to be broken and started again. Settings are given as arguments."""
    made: list[EmbeddedStack] = []

    def make(**environ: str) -> EmbeddedStack:
        made.append(EmbeddedStack(tmp_path / f"stack-{len(made)}", environ=environ))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="session")
def person(stack: Stack) -> Person:
    """Somebody of the shared stack."""
    return sign_up(stack)
