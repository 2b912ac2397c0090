import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

# What the checks read: the members' source and the configuration of the tools.
CHECKED = (
    "shared",
    "services",
    "sandbox",
    "launcher",
    "clients",
    "tools",
    ".importlinter",
    "pyproject.toml",
    "uv.lock",
)
NOT_COPIED = shutil.ignore_patterns("__pycache__", "tests", "static", "*.pyc")


@pytest.fixture(scope="session")
def root(pytestconfig: pytest.Config) -> Path:
    """The project's own folder."""
    return pytestconfig.rootpath


@pytest.fixture(scope="module")
def copy_project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copy what the checks read into a fresh folder with the given name, to plant violations there."""

    def copy(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        for entry in CHECKED:
            if (root / entry).is_dir():
                shutil.copytree(root / entry, folder / entry, ignore=NOT_COPIED)
            else:
                shutil.copy2(root / entry, folder / entry)
        return folder

    return copy
