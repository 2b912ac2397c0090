"""The peers' environments: made once from their requirements, and again when those change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PEERS = Path(__file__).parent
CACHE = ROOT / "var" / "bench"
STAMP = "made-from.txt"
LIMIT_S = 300


class NotInstalled(Exception):
    """The environment of a peer was not created; the message is the last line of the installer."""


def interpreter(name: str, peers: Path = PEERS, cache: Path = CACHE) -> Path:
    """The Python of a peer's environment, which is made if it has to be; ours if the peer has no requirements.

    :raises NotInstalled: the installer failed, as it does without a network.
    """
    requirements = peers / name / "requirements.txt"
    if not requirements.exists():
        return Path(sys.executable)
    environment = cache / name
    python = environment / "bin" / "python"
    wanted = f"{sys.version}\n{requirements.read_text()}"
    stamp = environment / STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(environment, ignore_errors=True)
        environment.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(environment))
        _uv("pip", "install", "--quiet", "--python", str(python), "--requirements", str(requirements))
        stamp.write_text(wanted)
    return python


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        raise NotInstalled("uv is not in the environment: run make sync")
    try:
        done = subprocess.run(  # noqa: S603 - our own uv, with arguments of this module
            [uv, *arguments], capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"uv {arguments[0]} took more than {LIMIT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise NotInstalled(f"uv {arguments[0]}: {lines[-1].strip()}")
