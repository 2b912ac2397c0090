"""Node, with the packages of `node/package-lock.json`, for tests against libraries of others."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.infrastructure.needs import cannot_run

FILES = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".venv" / "node-packages"
INSTALL_LIMIT_S = 90


def require_node(item: pytest.Item) -> str:
    """Return the path of Node; without it the test cannot run."""
    node = shutil.which("node")
    if node is None:
        cannot_run(item, ("node", "install nodejs 18 or later"))
    return node


def require_packages(item: pytest.Item) -> Path:
    """Return a folder where Node finds the packages. The first test of a machine downloads them."""
    npm = shutil.which("npm")
    if npm is None:
        cannot_run(item, ("npm", "install npm"))
    # The folder has copies of the scripts beside the packages.
    content = b"".join(file.read_bytes() for file in sorted(FILES.iterdir()))
    folder = CACHE / hashlib.sha256(content).hexdigest()[:16]
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=CACHE))
        for file in FILES.iterdir():
            shutil.copy(file, unfinished)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, cwd=unfinished, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
            )
            failure = done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            failure = f"not done after {INSTALL_LIMIT_S} s"
        if failure:
            shutil.rmtree(unfinished)
            cannot_run(item, ("npm packages", f"connect to the registry of npm ({failure.strip()[-200:]})"))
        try:
            unfinished.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return folder
