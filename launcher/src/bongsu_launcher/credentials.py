"""`bongsu credentials FOLDER`: the passwords and keys of a deployment, a folder a service, a file a secret.

What is there is kept, what is missing is made: passwords are rotated by removing files. The services read theirs as
`NAME_FILE`. RabbitMQ's users come from the definitions file, MySQL's from `bongsu migrate --credentials FOLDER`.
"""

import argparse
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu.runtime.stop import StopSignal
from bongsu_launcher import broker_users, grants

ROOT_PASSWORD: Final = Path("mysql/root_password")
MYSQL_PASSWORD: Final = "mysql_password"  # noqa: S105 - the name of a file
AMQP_PASSWORD: Final = "amqp_password"  # noqa: S105 - as above
AMQP_URL: Final = "amqp_url"
VAULT_KEYS: Final = "vault_keys"
DEFINITIONS: Final = Path("rabbitmq/definitions.json")

VAULT_USERS: Final = ("auth", "notify", "bot")
"""Who opens what is sealed."""

OURS: Final = 0o400
THEIRS: Final = 0o444
"""MySQL and RabbitMQ read as users of their own; nobody else is given their folders."""


def process(options: argparse.Namespace) -> Callable[[StopSignal], Awaitable[None]]:
    """Makes what is missing.

    :raises StartError: the folder cannot be written to.
    """

    async def credentials(_stop: StopSignal) -> None:
        try:
            made = make(options.folder, broker=options.broker, root_password=os.environ.get("MYSQL_PASSWORD"))
        except OSError as error:
            raise StartError(f"Cannot keep credentials in {options.folder} ({error.strerror})") from error
        print(f"Made {', '.join(made)}." if made else "All credentials are there.")

    return credentials


def make(folder: Path, *, broker: str, root_password: str | None = None) -> list[str]:
    """Make what is missing below a folder.

    :param broker: RabbitMQ's address, `host:port`.
    :param root_password: of MySQL's root, in place of a random one.
    :returns: the files that were made.
    """
    keeper = _Keeper(folder)
    keeper.ensure(ROOT_PASSWORD, root_password or secrets.token_urlsafe(24), mode=THEIRS)
    for access in grants.ACCESS:
        keeper.ensure(Path(access.service, MYSQL_PASSWORD), secrets.token_urlsafe(24))
    passwords = {}
    for name in (*(one.service for one in broker_users.PERMISSIONS), broker_users.OPERATOR):
        passwords[name] = keeper.ensure(Path(name, AMQP_PASSWORD), secrets.token_urlsafe(24))
        keeper.write(Path(name, AMQP_URL), f"amqp://{name}:{passwords[name]}@{broker}/", mode=OURS)
    keeper.write(DEFINITIONS, broker_users.definitions(passwords), mode=THEIRS)
    first, *others = VAULT_USERS
    vault_keys = keeper.ensure(Path(first, VAULT_KEYS), Vault.new_key())
    for name in (*others, broker_users.OPERATOR):
        keeper.write(Path(name, VAULT_KEYS), vault_keys, mode=OURS)
    return keeper.made


def mysql_passwords(folder: Path) -> dict[str, str]:
    """The passwords of the services' users in MySQL.

    :raises StartError: there are none, or they cannot be read.
    """
    found = {}
    for access in grants.ACCESS:
        path = folder / access.service / MYSQL_PASSWORD
        try:
            found[access.service] = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise StartError(f"Cannot read {path} ({error.strerror}); run `bongsu credentials {folder}`") from error
    return found


class _Keeper:
    """Writes files whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[str] = []

    def ensure(self, name: Path, content: str, *, mode: int = OURS) -> str:
        """The content of a file, which is written if it does not exist."""
        path = self._folder / name
        if not path.exists():
            self.write(name, content, mode=mode)
            self.made.append(str(name))
        return path.read_text(encoding="utf-8").strip()

    def write(self, name: Path, content: str, *, mode: int) -> None:
        """Write a file, or write it again."""
        path = self._folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        unfinished.chmod(mode)
        unfinished.rename(path)
