"""Fixtures for tests that run a command in this process."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bongsu_launcher.cli import main
from tests.ports import free_port

LEVELS = ("alembic", "aiobotocore", "botocore", "httpx", "httpcore", "aiormq", "aio_pika", "uvicorn")

Run = Callable[..., str]
"""Runs a command that must fail, and returns the one line that it prints."""


@contextlib.contextmanager
def logging_kept() -> Iterator[None]:
    """Undo what a command sets up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LEVELS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """The data folder, which does not exist yet."""
    return tmp_path / "var"


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, var: Path) -> Iterator[None]:
    """A folder, a port and an environment of the test's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("BONGSU_PUBLIC_URL", "MYSQL_HOST", "BONGSU_VAULT_KEYS", "BONGSU_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BONGSU_VAR", str(var))
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.setenv("PORT", str(free_port()))
    with logging_kept():
        yield


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that must fail."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 1
        # On a busy machine a statement may be logged because it is slow.
        lines = [line for line in capsys.readouterr().err.splitlines() if "statement.slow" not in line]
        assert len(lines) == 1, lines
        assert lines[0].startswith("bongsu: ")
        return lines[0]

    return run
