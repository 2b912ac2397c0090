"""`bongsu serve`: one service, as its own `python -m` runs it."""

from collections.abc import Awaitable, Callable

from bongsu.runtime.stop import StopSignal


def process(service: str) -> Callable[[StopSignal], Awaitable[None]]:
    """The main coroutine of a service."""
    # Each is imported alone, so that a service's process holds no other service's code.
    match service:
        case "auth":
            from bongsu_auth.__main__ import main  # noqa: PLC0415 - see above
        case "notify":
            from bongsu_notify.__main__ import api as main  # noqa: PLC0415 - see above
        case "worker":
            from bongsu_notify.__main__ import worker as main  # noqa: PLC0415 - see above
        case "relay":
            from bongsu.outbox.__main__ import main  # noqa: PLC0415 - see above
        case _:
            from bongsu_sandbox.__main__ import main  # noqa: PLC0415 - see above
    return main
