"""Opening the broker that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bongsu.broker.errors import AccessRefused, BrokerUnavailable
from bongsu.broker.port import Broker
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError


@asynccontextmanager
async def opened(platform: PlatformSettings) -> AsyncIterator[Broker]:
    """The RabbitMQ at `AMQP_URL`, connected; closed at the end.

    :raises SettingsError: AMQP_URL is missing.
    :raises StartError: it cannot be reached, or refuses the credentials.
    """
    if platform.amqp_url is None:
        raise SettingsError(["AMQP_URL is missing (amqp://user:password@host/)"])
    try:
        broker = RabbitBroker(platform.amqp_url.get_secret_value())
    except ValueError as error:
        raise SettingsError([f"AMQP_URL: {error}"]) from error
    try:
        try:
            await broker.connect()
        except (BrokerUnavailable, AccessRefused) as error:
            raise StartError(str(error)) from error
        yield broker
    finally:
        await broker.close()
