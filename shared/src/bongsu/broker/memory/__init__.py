"""The broker within one process: for `make up` and for tests. What it holds is gone when the process ends.

It behaves as RabbitMQ does wherever a service could notice, and bodies pass through JSON bytes, so that a body which
could not travel fails here too. A `MemoryHub` is the server; each `MemoryBroker` is a client of it.
"""

from bongsu.broker.memory.broker import MemoryBroker
from bongsu.broker.memory.hub import MemoryHub

__all__ = ["MemoryBroker", "MemoryHub"]
