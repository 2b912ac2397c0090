"""`bongsu credentials FOLDER`: the passwords and keys of a deployment, a folder a service, a file a secret.

Existing files are kept and missing ones created: remove a file to rotate its password. The services read theirs as
`NAME_FILE`. RabbitMQ's users come from the definitions file, MySQL's from `bongsu migrate --credentials FOLDER`.
"""

import argparse
import os
import secrets
from pathlib import Path
from typing import Final

from bongsu.identity.vault import Vault
from bongsu.process.server import Main
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
"""The services that decrypt secrets."""

SERVICE_MODE: Final = 0o400
SERVER_MODE: Final = 0o444
"""MySQL and RabbitMQ run as other users; their folders are mounted into no other container."""


def process(options: argparse.Namespace) -> Main:
    """Create the missing files.

    :raises StartError: the folder cannot be written to.
    """

    async def credentials(_stop: StopSignal) -> None:
        try:
            created = make(options.folder, broker=options.broker, root_password=os.environ.get("MYSQL_PASSWORD"))
        except OSError as error:
            raise StartError(f"Cannot write credentials to {options.folder} ({error.strerror})") from error
        print(f"Created {', '.join(created)}." if created else "All credentials exist.")

    return credentials


def make(folder: Path, *, broker: str, root_password: str | None = None) -> list[str]:
    """Create the missing files below a folder.

    :param broker: RabbitMQ's address, `host:port`.
    :param root_password: of MySQL's root; by default a random one.
    :returns: the names of the created files.
    """
    files = _Folder(folder)
    files.ensure(ROOT_PASSWORD, root_password or secrets.token_urlsafe(24), mode=SERVER_MODE)
    for access in grants.ACCESS:
        files.ensure(Path(access.service, MYSQL_PASSWORD), secrets.token_urlsafe(24))
    passwords = {}
    for name in (*(user.service for user in broker_users.PERMISSIONS), broker_users.OPERATOR):
        passwords[name] = files.ensure(Path(name, AMQP_PASSWORD), secrets.token_urlsafe(24))
        files.write(Path(name, AMQP_URL), f"amqp://{name}:{passwords[name]}@{broker}/", mode=SERVICE_MODE)
    files.write(DEFINITIONS, broker_users.definitions(passwords), mode=SERVER_MODE)
    first, *others = VAULT_USERS
    vault_keys = files.ensure(Path(first, VAULT_KEYS), Vault.new_key())
    for name in (*others, broker_users.OPERATOR):
        files.write(Path(name, VAULT_KEYS), vault_keys, mode=SERVICE_MODE)
    return files.created


def mysql_passwords(folder: Path) -> dict[str, str]:
    """Read the passwords of the services' users in MySQL.

    :raises StartError: a file does not exist or cannot be read.
    """
    found = {}
    for access in grants.ACCESS:
        path = folder / access.service / MYSQL_PASSWORD
        try:
            found[access.service] = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise StartError(f"Cannot read {path} ({error.strerror}); run `bongsu credentials {folder}`") from error
    return found


class _Folder:
    """Writes each file whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.created: list[str] = []

    def ensure(self, name: Path, content: str, *, mode: int = SERVICE_MODE) -> str:
        """Return the content of a file, which is created if it does not exist."""
        path = self._folder / name
        if not path.exists():
            self.write(name, content, mode=mode)
            self.created.append(str(name))
        return path.read_text(encoding="utf-8").strip()

    def write(self, name: Path, content: str, *, mode: int) -> None:
        """Write a file, in place of an earlier one."""
        path = self._folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        unfinished.chmod(mode)
        unfinished.rename(path)
