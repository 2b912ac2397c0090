"""Fan-out, on top of a queue for each subscriber. Both adapters use it."""

from bongsu.broker.port import BatchHandler, Delivery, TopicHandler
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

SUBSCRIBER_PREFETCH = 32


def handle_in_order(topic: str, handler: TopicHandler) -> BatchHandler:
    """Make a queue handler that passes the messages to `handler` one by one, each once."""

    async def handle_each(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            try:
                await handler(delivery.message)
            except Exception:
                log.exception("topic.handler_failed", topic=topic, message_id=delivery.message.id)
            await delivery.ack()

    return handle_each
