"""Whole-system tests. They speak HTTP, as users do, with a stack that `--stack` names."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The name of this folder is not a package name, so its modules find `harness` by path.
sys.path.insert(0, str(Path(__file__).parent))

from harness import compose
from harness.people import Person, sign_up
from harness.stack import EmbeddedStack, Stack

ONE_PROCESS_FIXTURES = {"new_stack"}
ONE_PROCESS_MODULES = {"test_no_secret_in_plaintext.py", "test_processes.py", "test_readme.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "compose"),
        default="embedded",
        help="what the whole-system tests run against: the one-process mode, or docker compose",
    )
    parser.addoption("--chaos", type=int, metavar="SEED", help="run the test of five minutes of faults, with this seed")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--stack") == "compose" and not compose.is_available():
        raise pytest.UsageError("--stack=compose needs a Docker engine with Compose, and none answers")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Run the tests of the containers only on containers, and those of the one process only on the one process.

    The five minutes of faults run only where they are asked for.
    """
    if collection_path.name == "test_chaos.py":
        return None if config.getoption("--chaos") is not None else True
    if config.getoption("--stack") == "compose":
        return True if collection_path.name in ONE_PROCESS_MODULES else None
    return True if collection_path == Path(__file__).parent / "compose" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests on containers more time: the first one builds images, and all share a slower stack.

    Deselect the tests that break a one-process stack of their own.
    """
    if config.getoption("--stack") != "compose":
        return
    others = [item for item in items if ONE_PROCESS_FIXTURES & set(getattr(item, "fixturenames", ()))]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that many tests share. Each uses people and addresses of its own, and leaves no fault behind."""
    if request.config.getoption("--stack") == "compose":
        with compose.ComposeStack(environ={"BOT_SHARDS": "2"}) as composed:
            yield composed
    else:
        # On a busy machine the bot answers late: a page without its answer would fail a test of something else.
        patient = {"DASHBOARD_BOT_TIMEOUT_S": "10"}
        with EmbeddedStack(tmp_path_factory.mktemp("stack"), environ=patient) as started:
            yield started


@pytest.fixture(scope="session")
def composed(stack: Stack) -> compose.ComposeStack:
    """The shared stack of containers, which a test can scale, kill and inspect."""
    assert isinstance(stack, compose.ComposeStack)
    return stack


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    """What decides the order of the faults."""
    seed: int = request.config.getoption("--chaos")
    return seed


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[..., EmbeddedStack]]:
    """A function that starts a stack of the test's own with the given settings, to be broken and started again."""
    made: list[EmbeddedStack] = []

    def make(**environ: str) -> EmbeddedStack:
        made.append(EmbeddedStack(tmp_path / f"stack-{len(made)}", environ=environ))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="session")
def person(stack: Stack) -> Person:
    """A person with an account on the shared stack."""
    return sign_up(stack)
