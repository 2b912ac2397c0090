"""The broker within one process: for `make up` and for tests. Its messages are gone when the process ends.

It behaves as RabbitMQ wherever a service could notice, and encodes bodies as JSON, so a body that cannot be sent fails
here too. A `MemoryHub` is the server; each `MemoryBroker` is a client of it.
"""

from bongsu.broker.memory.broker import MemoryBroker
from bongsu.broker.memory.hub import MemoryHub

__all__ = ["MemoryBroker", "MemoryHub"]
