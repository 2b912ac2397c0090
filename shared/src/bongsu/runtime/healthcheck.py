"""A container's health check, of the process on PORT: `python -m bongsu.runtime.healthcheck`.

It imports nothing that takes time, as it runs every few seconds beside the process that it checks.
"""

import os
import socket
import sys
from collections.abc import Mapping

TIMEOUT_S = 2.0
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def is_alive(port: int, *, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether `/healthz` on this machine answers with 200 in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(REQUEST)
            with connection.makefile("rb") as answer:
                return answer.readline().split()[1:2] == [b"200"]
    except OSError:
        return False


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Return the exit code: 0 for alive, 1 for not."""
    return 0 if is_alive(int(environ.get("PORT") or 8000)) else 1


if __name__ == "__main__":
    sys.exit(main())
