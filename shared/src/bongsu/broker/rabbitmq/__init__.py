"""The broker on RabbitMQ (3.10 or newer, 4.x), by aio-pika.

aio-pika's plain connections are used, with our own supervision, rather than its "robust" ones: a robust connection
retries what can never succeed (a queue declared otherwise) without telling anyone, restores consumers of queues that
are gone with it, and gives no place to forget the deliveries that a cut made void.
"""

from bongsu.broker.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
