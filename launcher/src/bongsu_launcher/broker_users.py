"""The RabbitMQ users of the services and their permissions.

RabbitMQ reads them from a definitions file when it starts, so a broker that lost its disk has its users again. It also
checks that the `user_id` of a message is the user that sent it. It cannot limit the queues that a user sends to: all of
them are reached through the default exchange.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from bongsu.contracts.queues import ALL_QUEUES, BOT_QUEUES, NOTIFY_QUEUES

VHOST: Final = "/"
OPERATOR: Final = "operator"

# Regular expressions for names of queues and exchanges, as RabbitMQ reads them.
_NOTIFY, _BOT_WORK, _WORK = (
    r"({})(\.dead)?".format("|".join(name.replace(".", r"\.") for name in names))
    for names in (NOTIFY_QUEUES, BOT_QUEUES, ALL_QUEUES)
)
_SEND = r"amq\.default"
_TOPICS = r"bongsu\.topics"
_SUBSCRIPTION = r"topic\..+\.[0-9a-f]{32}"
_BOT = r"bot\.rpc\..+"
_INBOX = r"rpc\.reply\.[0-9a-f]{32}"


@dataclass(frozen=True, slots=True)
class Permissions:
    """What one user may declare (`configure`), send to (`write`) and consume from (`read`)."""

    service: str
    configure: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    def definition(self) -> dict[str, JsonValue]:
        """The entry in a definitions file."""
        return {
            "user": self.service,
            "vhost": VHOST,
            "configure": _any_of(self.configure),
            "write": _any_of(self.write),
            "read": _any_of(self.read),
        }


PERMISSIONS: Final = (
    Permissions("auth", configure=(_TOPICS, _INBOX), write=(_SEND, _TOPICS), read=(_INBOX,)),
    Permissions(
        "notify",
        configure=(_NOTIFY, _TOPICS, _SUBSCRIPTION, _INBOX),
        write=(_SEND, _NOTIFY, _SUBSCRIPTION),
        read=(_NOTIFY, _TOPICS, _SUBSCRIPTION, _INBOX),
    ),
    # Declaring a queue with a dead-letter queue requires permission to read it.
    Permissions("relay", configure=(_WORK,), write=(_SEND, _WORK), read=(_WORK,)),
    # The bot serves calls, and calls its own other processes.
    Permissions(
        "bot",
        configure=(_BOT, _BOT_WORK, _TOPICS, _SUBSCRIPTION, _INBOX),
        write=(_SEND, _BOT_WORK, _TOPICS, _SUBSCRIPTION),
        read=(_BOT, _BOT_WORK, _TOPICS, _SUBSCRIPTION, _INBOX),
    ),
    Permissions(
        "dashboard",
        configure=(_TOPICS, _SUBSCRIPTION, _INBOX),
        write=(_SEND, _SUBSCRIPTION),
        read=(_TOPICS, _SUBSCRIPTION, _INBOX),
    ),
)


def definitions(passwords: Mapping[str, str]) -> str:
    """Write a definitions file with a user for each password; the operator has every permission.

    :param passwords: by service, and by `OPERATOR`.
    """
    users: list[JsonValue] = [
        {
            "name": name,
            "password_hash": _hash(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"] if name == OPERATOR else [],
        }
        for name, password in sorted(passwords.items())
    ]
    permissions: list[JsonValue] = [user.definition() for user in PERMISSIONS if user.service in passwords]
    if OPERATOR in passwords:
        permissions.append({"user": OPERATOR, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"})
    document: JsonValue = {"vhosts": [{"name": VHOST}], "users": users, "permissions": permissions}
    return json.dumps(document, indent=1)


def _any_of(expressions: Iterable[str]) -> str:
    # `^$` matches no name.
    joined = "|".join(expressions)
    return f"^({joined})$" if joined else "^$"


def _hash(password: str) -> str:
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
