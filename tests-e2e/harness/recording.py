"""Runs `bongsu up`, and records every secret that the vault seals and every body that the broker gets.

The name of a sealed secret is its context. Usage: `python recording.py FILE`.
"""

import base64
import json
import sys
from pathlib import Path

from bongsu.broker.encoding import encode_message
from bongsu.broker.memory import broker as memory_broker
from bongsu.broker.port import Message
from bongsu.identity.vault import Vault
from bongsu_launcher.cli import main

seal = Vault.seal
recording = Path(sys.argv[1]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - until the process ends


def record(kind: str, name: str, content: bytes) -> None:
    recording.write(json.dumps({"kind": kind, "name": name, "content": base64.b64encode(content).decode()}) + "\n")


def recording_seal(self: Vault, plain: bytes | str, *, aad: str) -> str:
    record("sealed", aad, plain.encode() if isinstance(plain, str) else plain)
    return seal(self, plain, aad=aad)


def recording_encode(destination: str, message: Message) -> bytes:
    """The RabbitMQ adapter encodes its bodies by the same function."""
    body = encode_message(destination, message)
    record("published", destination, body)
    return body


if __name__ == "__main__":
    Vault.seal = recording_seal  # type: ignore[method-assign]  # in this process alone
    vars(memory_broker)["encode_message"] = recording_encode
    sys.exit(main(["up"]))
