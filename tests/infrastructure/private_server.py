"""One private database or broker for a test run, as a process of its own that cannot outlive the run.

Usage: ``python -m tests.infrastructure.private_server mysql|amqp FOLDER OWNER_PID``. The server keeps everything in
FOLDER and listens on free ports of 127.0.0.1. ``FOLDER/state.json`` appears when the server answers, ``{"url": "…"}``,
or when it is clear that it will not, ``{"error": "…"}``. The server ends on SIGTERM, and also when the process
OWNER_PID is gone: a test run killed with SIGKILL leaves nothing behind. Only the standard library is imported, so that
starting takes no time.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.ports import free_port

START_TIMEOUT_S = 300
POLL_S = 0.05
# Debian installs servers there, which is not on an ordinary user's PATH.
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
# Debian's /usr/sbin/rabbitmq-server insists on the account `rabbitmq`; the script that it wraps runs as anyone.
RABBITMQ_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", *SYSTEM_FOLDERS)


class StartError(Exception):
    """The server did not start; the message is for the person who ran the tests."""


@dataclass(frozen=True)
class StartedServer:
    url: str
    processes: list[subprocess.Popen[bytes]]


def find_program(
    names: tuple[str, ...], folders: tuple[str, ...] = SYSTEM_FOLDERS, *, first: bool = False
) -> str | None:
    """The path of the first of ``names`` found on PATH or in ``folders`` (looked at before PATH when ``first``)."""
    path = os.environ.get("PATH", os.defpath)
    extra = os.pathsep.join(folders)
    search_path = os.pathsep.join([extra, path] if first else [path, extra])
    return next((found for name in names if (found := shutil.which(name, path=search_path))), None)


def find_mysql() -> str | None:
    return find_program(("mariadbd", "mysqld"))


def find_rabbitmq() -> str | None:
    return find_program(("rabbitmq-server",), RABBITMQ_FOLDERS, first=True)


def answers(port: int, send: bytes, expect: Callable[[bytes], bool]) -> bool:
    """Return True if the server on ``port`` speaks its protocol: the port opens earlier than that."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(2)
            if send:
                connection.sendall(send)
            return expect(connection.recv(64))
    except OSError:
        return False


def wait_until_ready(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    # This process starts quickly because it imports the standard library alone.
    while not is_ready():
        if process.poll() is not None:
            raise StartError(f"{process.args!s} ended with {process.returncode}:\n{last_lines(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"{process.args!s} did not answer in {START_TIMEOUT_S} s:\n{last_lines(log)}")
        time.sleep(POLL_S)


def last_lines(log: Path, count: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def run_as_root() -> bool:
    return os.geteuid() == 0


def start_mysql(folder: Path) -> StartedServer:
    server = find_mysql()
    if server is None:
        raise StartError("neither mariadbd nor mysqld was found")
    log = folder / "log"
    data = folder / "data"
    user = ["--user=root"] if run_as_root() else []
    install = find_program(("mariadb-install-db", "mysql_install_db"))
    if "mariadbd" in Path(server).resolve().name and install:
        prepare = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve", *user]
        prepare += ["--auth-root-authentication-method=normal", "--force"]  # the machine's name need not resolve
    else:
        prepare = [server, "--no-defaults", f"--datadir={data}", "--initialize-insecure", *user]
    # Of its own: MariaDB, when it starts, removes the temporary tables of every other one from where they share it.
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    with log.open("ab") as output:
        prepared = subprocess.run(prepare, env=environment, stdout=output, stderr=output, check=False)  # noqa: S603 - programs found on PATH, our own arguments
    if prepared.returncode:
        raise StartError(f"{prepare[0]} ended with {prepared.returncode}:\n{last_lines(log)}")
    accounts = folder / "accounts.sql"
    accounts.write_text(
        "CREATE USER 'test'@'%' IDENTIFIED BY 'test';\nGRANT ALL ON *.* TO 'test'@'%' WITH GRANT OPTION;\n"
    )
    port = free_port()
    command = [
        server,
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={folder / 's'}",
        f"--pid-file={folder / 'pid'}",
        f"--init-file={accounts}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--max-connections=500",
        "--character-set-server=utf8mb4",
        "--skip-name-resolve",
        # The data is thrown away: nothing needs to survive a power cut.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--sync-binlog=0",
        "--loose-innodb-flush-method=nosync",
        "--loose-debug-no-sync",
        "--innodb-buffer-pool-size=64M",
        *user,
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - as above
    greeting = lambda data: len(data) > 4 and data[4] == 10  # noqa: E731 - the protocol version in the first packet
    wait_until_ready(process, log, lambda: answers(port, b"", greeting))
    return StartedServer(f"mysql://test:test@127.0.0.1:{port}", [process])


def start_rabbitmq(folder: Path) -> StartedServer:
    server = find_rabbitmq()
    epmd = find_program(("epmd",), ("/usr/lib/erlang/bin", "/opt/homebrew/bin"))
    if server is None:
        raise StartError("rabbitmq-server was not found")
    log = folder / "log"
    port, distribution_port, epmd_port = free_port(), free_port(), free_port()
    config = folder / "rabbitmq.conf"
    config.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        "vm_memory_high_watermark.relative = 0.4\n"
        "disk_free_limit.absolute = 50MB\n"
        "log.file = false\nlog.console = true\nlog.console.level = warning\n"
    )
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    # Nothing of the caller's own RabbitMQ may leak in: neither its node name nor its configuration.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
    environment |= {
        "HOME": str(folder),  # where Erlang keeps its cookie
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # An address for a name: "localhost" does not resolve everywhere, and a name with dots must be a long one.
        "RABBITMQ_NODENAME": f"test{port}@127.0.0.1",
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_LOGS": "-",
    }
    processes = []
    with log.open("ab") as output:
        if epmd:  # in the foreground: the one that Erlang would start detaches itself, and could not be ended by its id
            processes.append(subprocess.Popen([epmd], env=environment, stdout=output, stderr=output))  # noqa: S603 - as above
        process = subprocess.Popen(  # noqa: S603 - as above
            [server], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    processes.append(process)
    wait_until_ready(process, log, lambda: answers(port, b"AMQP\x00\x00\x09\x01", lambda data: data[:1] == b"\x01"))
    return StartedServer(f"amqp://guest:guest@127.0.0.1:{port}/", processes)


STARTERS = {"mysql": start_mysql, "amqp": start_rabbitmq}


def end_group(_signal: int = 0, _frame: FrameType | None = None) -> NoReturn:
    """End this process and everything it started: the data is thrown away, so no server needs a goodbye."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise SystemExit(1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(kind: str, folder: Path, owner_pid: int) -> None:
    if os.getpgrp() != os.getpid():  # end_group() must never reach the caller's processes
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, end_group)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's: it ends us when its tests are done with us
    state: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        started = STARTERS[kind](folder)
        state, processes = {"url": started.url}, started.processes
    except (StartError, OSError) as error:
        state = {"error": str(error)}
    unfinished = folder / "state.new"
    unfinished.write_text(json.dumps(state))
    unfinished.rename(folder / "state.json")
    # Nothing announces the end of a process that is not our child.
    while processes and is_alive(owner_pid) and all(process.poll() is None for process in processes):
        time.sleep(0.5)
    if not is_alive(owner_pid):
        shutil.rmtree(folder, ignore_errors=True)
    end_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
