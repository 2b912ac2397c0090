"""Messages between services: one port, `Broker`, and adapters for RabbitMQ and for one process.

Everything in `__all__` is public. The adapters are imported from their own packages:
`bongsu.broker.rabbitmq.RabbitBroker` and `bongsu.broker.memory.MemoryBroker`.
"""

from bongsu.broker.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnavailable,
    InvalidMessage,
    NotConfirmed,
    PublishError,
    QueueInUse,
    QueueMismatch,
    QueueMissing,
    RpcError,
    RpcTimeout,
    Unroutable,
)
from bongsu.broker.port import (
    BatchHandler,
    Broker,
    Consumer,
    DeadLetter,
    Delivery,
    JsonObject,
    Message,
    QueueSpec,
    RpcHandler,
    TopicHandler,
    dead_letter_queue,
)

__all__ = [
    "AccessRefused",
    "BatchHandler",
    "Broker",
    "BrokerError",
    "BrokerUnavailable",
    "Consumer",
    "DeadLetter",
    "Delivery",
    "InvalidMessage",
    "JsonObject",
    "Message",
    "NotConfirmed",
    "PublishError",
    "QueueInUse",
    "QueueMismatch",
    "QueueMissing",
    "QueueSpec",
    "RpcError",
    "RpcHandler",
    "RpcTimeout",
    "TopicHandler",
    "Unroutable",
    "dead_letter_queue",
]
