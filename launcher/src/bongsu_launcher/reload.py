"""`bongsu up --reload`: restarts when the code changes."""

import argparse
import shlex
import signal
import sys
from pathlib import Path

from watchfiles import PythonFilter, run_process

WATCHED = ("shared/src", "services", "sandbox/src", "launcher/src", "clients/python/src")


class _Sources(PythonFilter):
    """Python files, and the files that pages are made of."""

    def __init__(self) -> None:
        super().__init__(extra_extensions=(".html", ".css", ".js", ".txt", ".subject"))


def up(options: argparse.Namespace) -> int:
    """Run `bongsu up` in a child process, and restart it after each change."""
    root = Path(__file__).resolve().parents[3]
    folders = [root / folder for folder in WATCHED if (root / folder).is_dir()]
    if not folders:
        print("bongsu: --reload needs a checkout of the repository", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "bongsu_launcher", "up"]
    if options.database_url:
        command += ["--database-url", options.database_url]
    run_process(
        *folders,
        target=shlex.join(command),
        target_type="command",
        watch_filter=_Sources(),
        sigint_timeout=6,
        callback=lambda changes: print(f"bongsu: {len(changes)} file(s) changed, restarting", flush=True),
    )
    return 128 + signal.SIGINT
