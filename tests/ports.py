"""Ports for the servers that tests start."""

import itertools
import os
import socket

# Below the ports that Linux and macOS give to outgoing connections: none of those takes a port before its server does.
_FIRST, _LAST = 15_000, 32_767
# Each process of a run starts its search elsewhere.
_candidates = itertools.islice(itertools.cycle(range(_FIRST, _LAST)), os.getpid() * 1009 % (_LAST - _FIRST), None)


def free_port() -> int:
    """A port of 127.0.0.1 that no server uses, and that this process has not returned before."""
    return next(port for port in _candidates if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
