"""The `bongsu` command."""

import argparse
import importlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from bongsu.contracts.queues import ALL_QUEUES
from bongsu.process.server import Main, run
from bongsu_launcher.serve import SERVICES

MODULES = {
    "up": "bongsu_launcher.embedded",
    "serve": "bongsu_launcher.serve",
    "migrate": "bongsu_launcher.migrate",
    "credentials": "bongsu_launcher.credentials",
    "user": "bongsu_launcher.accounts",
    "key": "bongsu_launcher.accounts",
    "signing-key": "bongsu_launcher.accounts",
    "send": "bongsu_launcher.send",
    "dead": "bongsu_launcher.dead_letters",
    "commands": "bongsu_launcher.slash_commands",
    "doctor": "bongsu_launcher.doctor",
}
ROLES = ("user", "staff", "manager", "administrator")


def build_parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    parser = argparse.ArgumentParser(
        prog="bongsu", description="Sign-in, notifications, a dashboard and a Discord bot."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run everything in one process")
    up.add_argument(
        "--database-url", help="a database other than the SQLite file: mysql+aiomysql://user:password@host/name"
    )
    up.add_argument("--reload", action="store_true", help="restart when the code changes (for development)")

    serve = commands.add_parser("serve", help="run one service on PORT, on MySQL and RabbitMQ")
    serve.add_argument("service", choices=sorted(SERVICES))

    migrate = commands.add_parser("migrate", help="create the tables or bring them up to date")
    _with_database(migrate)
    migrate.add_argument("--downgrade", action="store_true", help="remove all tables and their data")
    migrate.add_argument(
        "--credentials", type=Path, metavar="FOLDER", help="also create the services' MySQL users and their grants"
    )

    credentials = commands.add_parser("credentials", help="create the missing passwords and keys of a deployment")
    credentials.add_argument(
        "folder", type=Path, help="the folder to create them in: a folder a service, a file a secret"
    )
    credentials.add_argument("--broker", default="rabbitmq:5672", metavar="HOST:PORT", help="RabbitMQ's address")

    user = commands.add_parser("user", help="manage accounts").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    create = user.add_parser("create", help="create an account with a verified address")
    create.add_argument("email")
    create.add_argument("--name")
    create.add_argument("--role", choices=ROLES, default="user")
    create.add_argument("--password", help="by default BONGSU_PASSWORD, or a prompt")
    _with_database(create)
    promote = user.add_parser("promote", help="change the role of an account")
    promote.add_argument("email")
    promote.add_argument("role", choices=ROLES)
    _with_database(promote)

    key = commands.add_parser("key", help="manage API keys").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    make = key.add_parser("create", help="create an API key; its secret is shown once")
    make.add_argument("email", help="the account of the key")
    make.add_argument("--memo")
    make.add_argument("--mode", choices=("live", "test"), default="live")
    make.add_argument(
        "--scope", action="append", dest="scopes", metavar="SCOPE", help="may be repeated; by default all scopes"
    )
    _with_database(make)

    signing_key = commands.add_parser("signing-key", help="manage the keys that sign tokens").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _with_database(signing_key.add_parser("rotate", help="create the next key; earlier tokens stay valid"))

    send = commands.add_parser("send", help="send an email through the API and follow its status")
    send.add_argument("to")
    send.add_argument("--subject", required=True)
    send.add_argument("--text", required=True)
    send.add_argument("--url", help="the public URL of the API; by default BONGSU_PUBLIC_URL, or http://localhost:PORT")
    send.add_argument("--access-key", default=os.environ.get("BONGSU_ACCESS_KEY"), help="by default BONGSU_ACCESS_KEY")
    send.add_argument("--secret-key", default=os.environ.get("BONGSU_SECRET_KEY"), help="by default BONGSU_SECRET_KEY")
    send.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="how long to follow the status; by default 30"
    )

    _add_dead(commands.add_parser("dead", help="manage messages that no service could handle"))

    slash = commands.add_parser("commands", help="manage the slash commands of the bot").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    slash.add_parser("sync", help="register them with Discord, once a version")

    doctor = commands.add_parser("doctor", help="check settings, database, broker and providers")
    _with_database(doctor)
    return parser


def _add_dead(parser: argparse.ArgumentParser) -> None:
    dead = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = dead.add_parser("list", help="show them; they stay where they are")
    shown.add_argument("queue", nargs="?", choices=ALL_QUEUES, metavar="QUEUE", help="by default every queue")
    shown.add_argument("--limit", type=_count, default=100, metavar="NUMBER", help="of each queue; by default 100")
    shown.add_argument("--bodies", action="store_true", help="with their content, which may be personal")
    moved = dead.add_parser("redrive", help="move them back to their queue, to be handled again")
    moved.add_argument("queue", choices=ALL_QUEUES, metavar="QUEUE")
    chosen = moved.add_mutually_exclusive_group()
    chosen.add_argument("--limit", type=_count, metavar="NUMBER", help="the oldest; by default all")
    chosen.add_argument("--id", action="append", dest="ids", metavar="ID", help="this message; may be repeated")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds greater than 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number greater than 0")
    return int(text)


def _with_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database-url", help="by default the MySQL of MYSQL_HOST, or the SQLite file of the one-process mode"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if options.command == "up" and options.reload:
        from bongsu_launcher import reload  # noqa: PLC0415 - a development tool

        return reload.up(options)
    # A command imports only what it needs: `bongsu send` does not load the services.
    module = importlib.import_module(MODULES[options.command])
    process: Callable[[argparse.Namespace], Main] = module.process
    return run(process(options))
