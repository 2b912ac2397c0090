"""Starts programs in a copy of a process that has imported them: the imports are most of the CPU time of a start."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

BONGSU = str(Path(sys.executable).with_name("bongsu"))
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "bongsu_launcher.embedded",
        "bongsu_launcher.migrate",
        "bongsu_auth.__main__",
        "bongsu_notify.__main__",
        "bongsu_notify.worker",
        "bongsu.outbox.__main__",
    ]
)


def start(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    folder: Path,
    output: Path,
    command: Sequence[str | Path] | None = None,
) -> ForkServerProcess:
    """Start `bongsu` with nothing but this environment, in this folder; `output` gets what it prints.

    :param command: a program to run instead, which imports everything itself.
    """
    process = _CONTEXT.Process(target=_run, args=(arguments, dict(environ), folder, output, command))
    process.start()
    return process


def start_module(name: str, *, environ: Mapping[str, str], folder: Path, output: Path) -> ForkServerProcess:
    """Start `python -m name` with nothing but this environment, in this folder; `output` gets what it prints."""
    process = _CONTEXT.Process(target=_run_module, args=(name, dict(environ), folder, output))
    process.start()
    return process


def _run_module(name: str, environ: dict[str, str], folder: Path, output: Path) -> None:
    _enter(environ, folder, output)
    sys.argv = [name]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run(
    arguments: Sequence[str],
    environ: dict[str, str],
    folder: Path,
    output: Path,
    command: Sequence[str | Path] | None,
) -> None:
    from bongsu_launcher.cli import main  # noqa: PLC0415 - in the copy alone

    _enter(environ, folder, output)
    if command is not None:
        os.execv(command[0], [str(part) for part in command])  # noqa: S606 - our own command
    sys.exit(main(arguments))


def _enter(environ: dict[str, str], folder: Path, output: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    with output.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
