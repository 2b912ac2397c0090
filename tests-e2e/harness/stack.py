"""A whole Bongsu to test against."""

import os
import secrets
import signal
import ssl
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from tests.eventually import wait_until
from tests.infrastructure import forked
from tests.ports import free_port

START_LIMIT_S = 90.0
_NO_POOL = httpx.Limits(max_keepalive_connections=0)
"""One connection a request: clients need no closing, and no old connection meets a restarted stack."""
_NO_TLS = ssl.create_default_context()
"""Created once, because that takes longer than a request."""


class StackFailed(Exception):
    """The stack did not start or end as every test expects; the message ends with its log."""


class Stack(Protocol):
    """The interface of every stack."""

    @property
    def url(self) -> str:
        """The public URL, without a slash at the end."""

    def client(self) -> httpx.Client:
        """A new client. It keeps no connection open, so it needs no closing."""

    def log(self) -> str:
        """Everything its processes wrote."""


class EmbeddedStack:
    """The one-process mode: `bongsu up` in a process of its own, on its own port and data folder.

    It may be killed and started again; its data folder and port stay. Every end is by process id.

    :param command: starts it, in place of `bongsu up` in a copy of a process that imported it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str] | None = None,
        command: Sequence[str | Path] | None = None,
    ) -> None:
        self.folder = folder
        self._command = command
        self.port = free_port()
        self._environ = dict(environ or {})
        self._process: ForkServerProcess | None = None

    @property
    def url(self) -> str:
        """The public URL."""
        return f"http://localhost:{self.port}"

    def client(self) -> httpx.Client:
        """A new client."""
        return httpx.Client(base_url=self.url, timeout=30, limits=_NO_POOL, verify=_NO_TLS)

    def log(self) -> str:
        """Everything that was written since the first start."""
        path = self.folder / "up.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start the stack, and return when it answers.

        :raises StackFailed: the process ended, or does not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = forked.start(
            ["up"],
            environ=environment(PORT=str(self.port), BONGSU_VAR=str(self.folder / "var"), **self._environ),
            folder=self.folder,
            output=self.folder / "up.log",
            command=self._command,
        )
        with self.client() as client:
            try:
                wait_until(lambda: self._answers(client), START_LIMIT_S, "the stack answers /healthz")
            except AssertionError as error:
                self.kill()
                raise StackFailed(f"{error}\n{self.log()}") from error
        return self

    def _answers(self, client: httpx.Client) -> bool:
        if self.running.exitcode is not None:
            raise StackFailed(f"bongsu up ended with {self.running.exitcode}\n{self.log()}")
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def running(self) -> ForkServerProcess:
        """The process that was started last."""
        if self._process is None:
            raise StackFailed("the stack was never started")
        return self._process

    def interrupt(self, limit_s: float = 5.0) -> int:
        """Press Ctrl-C. Returns the exit code.

        :raises StackFailed: it does not end in time.
        """
        assert self.running.pid is not None
        os.kill(self.running.pid, signal.SIGINT)
        self.running.join(limit_s)
        if self.running.exitcode is None:
            self.kill()
            raise StackFailed(f"bongsu up did not end within {limit_s} s\n{self.log()}")
        return self.running.exitcode

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.kill()


def environment(**names: str) -> dict[str, str]:
    """An environment without the settings of the developer who runs the tests."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | names


def run_bongsu(*arguments: str, folder: Path, **environ: str) -> tuple[int, str]:
    """Run a `bongsu` command that ends by itself. Returns its exit code and its output."""
    output = folder / f"{secrets.token_hex(4)}.log"
    process = forked.start(
        arguments,
        environ=environment(**{"BONGSU_VAR": str(folder / "var"), "PORT": str(free_port())} | environ),
        folder=folder,
        output=output,
    )
    process.join(90)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise StackFailed(f"bongsu {' '.join(arguments)} did not end\n{output.read_text()}")
    return process.exitcode, output.read_text()


def items(client: httpx.Client, path: str, **query: str | int) -> list[dict[str, Any]]:
    """The items of a list, over all of its pages."""
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        answer = client.get(path, params=query | ({} if after is None else {"after": after}))
        answer.raise_for_status()
        page = answer.json()
        found += page["items"]
        after = page.get("next")
        if after is None:
            return found
