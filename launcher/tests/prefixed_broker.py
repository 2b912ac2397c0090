"""A RabbitMQ for one test."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import aio_pika

from bongsu.broker import Message, QueueSpec
from bongsu.broker.port import DeadLetter, JsonObject
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.contracts.queues import ALL_QUEUES


class PrefixedBroker(RabbitBroker):
    """A RabbitMQ whose queues have names of the test's own."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(url)
        self.url = url
        self.prefix = prefix

    async def declare(self, *queues: QueueSpec) -> None:
        await super().declare(*(QueueSpec(self.prefix + one.name, one.delivery_limit) for one in queues))

    async def publish(self, queue: str, message: Message, *, timeout_s: float = 5.0) -> None:
        await super().publish(self.prefix + queue, message, timeout_s=timeout_s)

    async def publish_many(self, items: Any, *, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - as in the base class
        return await super().publish_many([(self.prefix + queue, one) for queue, one in items], timeout_s=timeout_s)

    async def consume(self, queue: str, *arguments: Any, **limits: Any) -> Any:  # noqa: ANN401 - as in the base class
        return await super().consume(self.prefix + queue, *arguments, **limits)

    async def serve(self, queue: str, *arguments: Any, **limits: Any) -> Any:  # noqa: ANN401 - as in the base class
        return await super().serve(self.prefix + queue, *arguments, **limits)

    async def call(self, queue: str, message: Message, *, deadline_s: float) -> JsonObject:
        return await super().call(self.prefix + queue, message, deadline_s=deadline_s)

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        found = await super().dead_letters(self.prefix + queue, limit=limit)
        return [replace(one, queue=queue) for one in found]

    async def redrive(self, queue: str, *, limit: int | None = None, ids: Collection[str] | None = None) -> int:
        return await super().redrive(self.prefix + queue, limit=limit, ids=ids)

    async def depth(self, queue: str) -> int:
        return await super().depth(self.prefix + queue)


async def delete_queues(url: str, prefix: str) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in ALL_QUEUES:
            await channel.queue_delete(f"{prefix}{name}")
            await channel.queue_delete(f"{prefix}{name}.dead")
