"""The real thing to test against: every service in a container of its own, as `docker compose up` starts them."""

import contextlib
import functools
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import pymysql

from harness.stack import StackFailed
from tests.eventually import wait_until
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
UP_LIMIT_S = 900
"""Also builds the images, on a machine that has none."""
NOT_STARTED = 126
"""How `docker` ends if a command in a container cannot be started."""

# Sends one request to the process that runs beside it and prints the status; the request comes on standard input.
_ASK = """
import http.client, json, sys
request = json.load(sys.stdin)
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
connection.request(request["method"], request["path"], request["body"].encode() or None, request["headers"])
answer = connection.getresponse()
print(json.dumps({"status": answer.status, "body": answer.read().decode()}))
"""


class ComposeStack:
    """A Compose project of its own: own ports, own volumes, own secrets. `down` removes all of it."""

    def __init__(self, *, environ: Mapping[str, str] | None = None) -> None:
        self.project = f"bongsu-e2e-{secrets.token_hex(4)}"
        self.port = free_port()
        self.mysql_port = free_port()
        self._environ = dict(environ or {})

    @property
    def url(self) -> str:
        """The public URL."""
        return f"http://localhost:{self.port}"

    def client(self) -> httpx.Client:
        """A new client."""
        # A connection a request: replicas take turns, and a gateway that was restarted is met by a new one.
        return httpx.Client(base_url=self.url, timeout=15, limits=httpx.Limits(max_keepalive_connections=0))

    def log(self) -> str:
        """Everything that its containers wrote."""
        return self.compose("logs", "--no-color", "--timestamps", check=False)

    def start(self) -> Self:
        """Build, start, and return when everything is healthy.

        :raises StackFailed: something is not, in time.
        """
        try:
            self.compose("up", "--build", "--detach", "--wait", limit_s=UP_LIMIT_S)
        except StackFailed as error:
            log = self.log()
            self.down()
            raise StackFailed(f"{error}\n{log}") from error
        return self

    def down(self) -> None:
        """Remove its containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    def scale(self, **replicas: int) -> None:
        """Run so many of each service (`notify_worker=3`), and return when they are healthy."""
        wanted = [f"--scale={name.replace('_', '-')}={count}" for name, count in replicas.items()]
        self.compose("up", "--detach", "--wait", "--no-recreate", "--no-build", *wanted)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        return self.compose("ps", "--quiet", "--status=running", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return the engine's description of a container."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", container))
        return found[0]

    def kill(self, container: str) -> None:
        """`kill -9` its process from outside: unlike after `docker kill`, the engine starts it again by itself."""
        with self.ready_to_kill(container) as kill:
            kill()

    @contextlib.contextmanager
    def ready_to_kill(self, container: str) -> Iterator[Callable[[], None]]:
        """Prepare a `kill` that takes effect in the moment that it is called."""
        found = self.inspect(container)
        script = (
            f"import os, sys; print('ready', flush=True); sys.stdin.readline() and os.kill({found['State']['Pid']}, 9)"
        )
        command = ("docker", "run", "--rm", "--interactive", "--pid=host", "--user=0", "--cap-add=KILL")
        with subprocess.Popen(  # noqa: S603 - our own arguments
            [*command, "--entrypoint=python", found["Config"]["Image"], "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as helper:
            assert helper.stdin is not None
            assert helper.stdout is not None
            if helper.stdout.readline() != "ready\n":
                raise StackFailed(f"cannot prepare to kill {container}")

            def kill() -> None:
                assert helper.stdin is not None
                helper.stdin.write("now\n")
                helper.stdin.close()
                if helper.wait(30):
                    raise StackFailed(f"{container} was not killed")

            yield kill

    def ask(self, container: str, method: str, path: str, headers: Mapping[str, str], body: str) -> int:
        """Send a request to this replica, past the gateway; the status of its answer."""
        request = {"method": method, "path": path, "headers": dict(headers), "body": body}
        answer = docker("exec", "--interactive", container, "python", "-c", _ASK, given=json.dumps(request))
        return int(json.loads(answer)["status"])

    def run_python(self, script: str) -> str:
        """Run a script as the operator, beside the services and with everybody's credentials; what it printed."""
        return self.compose("run", "--rm", "--no-deps", "-T", "--entrypoint=python", "admin", "-", given=script)

    def bongsu(self, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        """Run a `bongsu` command as the operator; what it printed."""
        options = [f"--env={name}={value}" for name, value in (environ or {}).items()]
        return self.compose("run", "--rm", "--no-deps", "-T", *options, "admin", *arguments)

    @functools.cached_property
    def root_password(self) -> str:
        """Of MySQL's root."""
        return self.compose("exec", "-T", "mysql", "cat", "/run/secrets/root_password").strip()

    def run_tests(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run tests that `make test` runs on any server on this MySQL, which is the one that is deployed."""
        [(version,)] = self.sql("SELECT VERSION()")
        assert version.startswith("9.7")
        url = f"mysql://root:{self.root_password}@127.0.0.1:{self.mysql_port}"
        return subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=120", *arguments],
            cwd=ROOT,
            env=os.environ | {"TEST_MYSQL_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as MySQL's root; the rows."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self.mysql_port, user="root", password=self.root_password, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return [*cursor.fetchall()]

    def compose(self, *arguments: str, check: bool = True, limit_s: float = 240, given: str | None = None) -> str:
        """Run `docker compose` on this project; its output.

        :raises StackFailed: it failed, and is not allowed to.
        """
        environ = {
            "PORT": str(self.port),
            "MYSQL_PORT": str(self.mysql_port),
            "COMPOSE_PROFILES": "sandbox",
            "BONGSU_VERSION": "e2e",
            # Not the developer's own.
            "COMPOSE_DISABLE_ENV_FILE": "1",
            **self._environ,
        }
        files = ("--file", "compose.yaml", "--file", "compose.override.yaml")
        return docker(
            "compose", "--project-name", self.project, *files, *arguments,
            check=check, limit_s=limit_s, given=given, environ=environ,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.down()


@contextlib.contextmanager
def paused(container: str) -> Iterator[None]:
    """Pause a container while the context is open."""
    # Where a process starts in it at that moment, as a health check does, a busy machine fails to freeze it:
    # https://github.com/moby/moby/issues/48205. Remove when Docker no longer supports cgroup v1.
    wait_until(lambda: docker("pause", container), ignoring=(StackFailed,), what=f"{container} is paused")
    try:
        yield
    finally:
        docker("unpause", container)


def docker(
    *arguments: str,
    check: bool = True,
    limit_s: float = 60,
    given: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Run `docker` in the project's folder; its output.

    :raises StackFailed: it failed, and is not allowed to.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or name[:7] == "DOCKER_"}

    def run() -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["docker", *arguments],  # noqa: S607 - the docker that the developer has
            cwd=ROOT,
            env=kept | dict(environ or {}),
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        # The engine could not start the command in the container, as happens on a busy machine. It says why on stdout.
        if done.returncode == NOT_STARTED:
            raise _NotStartedError(done.stdout)
        return done

    try:
        done = wait_until(run, ignoring=(_NotStartedError,), what=f"docker {' '.join(arguments)} is started")
    except subprocess.TimeoutExpired as error:
        raise StackFailed(f"docker {' '.join(arguments)} did not end within {limit_s:g} s") from error
    if done.returncode and check:
        raise StackFailed(f"docker {' '.join(arguments)} ended with {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout


class _NotStartedError(Exception):
    """A command was not started in a container, so it can be tried again."""


def is_available() -> bool:
    """Return True if an engine with Compose answers."""
    try:
        return bool(docker("compose", "version", "--short") and docker("info", "--format={{.ServerVersion}}"))
    except (StackFailed, FileNotFoundError):
        return False
