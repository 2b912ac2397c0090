"""Runs the peers' workers and measures them in turn: A B A B …, each beside the Core of its own environment."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import IO, Self, TypedDict, cast

from bench.peers.environments import CACHE, PEERS, ROOT, NotInstalled, interpreter

NAME = "mixins: peers"
TITLES = {
    "ours": "bongsu.mixins",
    "orm": "plain ORM",
    "sqlactive": "sqlactive",
    "advanced-alchemy": "advanced-alchemy",
    "sqlalchemy-mixins": "sqlalchemy-mixins",
}
"""The folders of this package, in the order of the table."""

WORKS = ("create", "get", "filter")
SIDES = ("peer", "core")
END_LIMIT_S = 10


class Hello(TypedDict):
    """What a worker says first."""

    versions: dict[str, str]
    note: str


class WorkerFailed(Exception):
    """A worker ended early: what it wrote last."""


class Worker:
    """A process in a peer's environment."""

    def __init__(self, name: str, peers: Path = PEERS, cache: Path = CACHE) -> None:
        python = interpreter(name, peers, cache)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed at the end
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter and the script are ours
            [python, "-W", "ignore", peers / name / "worker.py"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._input = cast("IO[str]", self._process.stdin)
        self._output = cast("IO[str]", self._process.stdout)
        self.hello: Hello = {"versions": {}, "note": ""}

    def __enter__(self) -> Self:
        try:
            self.hello = cast("Hello", self._read())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def measure(self, side: str, work: str, operations: int | None) -> float:
        """CPU seconds of one operation; without `operations`: how many of them make a round."""
        command = {"side": side, "work": work, "operations": operations}
        with contextlib.suppress(BrokenPipeError):  # it has ended, which reading finds out
            self._input.write(json.dumps(command) + "\n")
            self._input.flush()
        return float(cast("float", self._read()))

    def _read(self) -> object:
        line = self._output.readline()
        if not line:
            self._process.wait(END_LIMIT_S)
            self._log.seek(0)
            lines = self._log.read().strip().splitlines() or ["it printed nothing"]
            raise WorkerFailed(lines[-1])
        return json.loads(line)

    def _end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._log.close()


@dataclass(frozen=True)
class Cost:
    """Of one operation, in CPU seconds of each round; Core's round follows the peer's."""

    peer_rounds_s: Sequence[float]
    core_rounds_s: Sequence[float]

    @property
    def peer_s(self) -> float:
        return median(self.peer_rounds_s)

    @property
    def core_s(self) -> float:
        return median(self.core_rounds_s)

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbours, which another process disturbs alike."""
        return median(peer_s / core_s for peer_s, core_s in zip(self.peer_rounds_s, self.core_rounds_s, strict=True))


@dataclass(frozen=True)
class Measured:
    """One line of the table; `problem` is why there are no figures."""

    title: str
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""
    costs: dict[str, Cost] = field(default_factory=dict)
    problem: str = ""


def compare(rounds: int, names: Iterable[str] = TITLES, peers: Path = PEERS) -> list[Measured]:
    """Measure every peer whose environment can be made."""
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        problems: dict[str, str] = {}
        for name in names:
            try:
                workers[name] = stack.enter_context(Worker(name, peers))
            except (NotInstalled, WorkerFailed) as error:
                problems[name] = str(error)
        sizes = {
            (name, side, work): int(worker.measure(side, work, None))
            for name, worker in workers.items()
            for work in WORKS
            for side in SIDES
        }
        samples: dict[tuple[str, str, str], list[float]] = {key: [] for key in sizes}
        for _ in range(rounds):
            for (name, side, work), operations in sizes.items():
                samples[name, side, work].append(workers[name].measure(side, work, operations))
        return [
            Measured(
                title,
                workers[name].hello["versions"],
                workers[name].hello["note"],
                {work: Cost(*(samples[name, side, work] for side in SIDES)) for work in WORKS},
            )
            if name in workers
            else Measured(title, problem=problems[name])
            for name in names
            for title in (TITLES.get(name, name),)
        ]


def as_table(lines: Sequence[Measured]) -> str:
    """The comparison for people: each work as a multiple of Core's CPU time, and that time itself."""
    headings = ("CPU / Core's", "version", "SQLAlchemy", *WORKS, "")
    rows: list[tuple[str, ...]] = [headings]
    for line in lines:
        costs = [f"{cost.ratio:.2f}x  {cost.peer_s * 1e6:5.0f} µs" for cost in line.costs.values()] or ["-"] * len(
            WORKS
        )
        own = [number for package, number in line.versions.items() if package not in {"sqlalchemy", "python"}]
        rows.append(
            (
                line.title,
                own[0] if own else "-",
                line.versions.get("sqlalchemy", "-"),
                *costs,
                f"not measured: {line.problem}" if line.problem else line.note,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_document(lines: Sequence[Measured]) -> list[dict[str, object]]:
    """The comparison for machines."""
    return [
        {
            "name": line.title,
            "versions": line.versions,
            "note": line.note,
            "problem": line.problem or None,
            "costs": {
                work: {"peer_s": cost.peer_s, "core_s": cost.core_s, "ratio": cost.ratio}
                for work, cost in line.costs.items()
            },
        }
        for line in lines
    ]
