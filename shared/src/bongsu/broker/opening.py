"""Opening the broker that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bongsu.broker.errors import AccessRefused, BrokerError, BrokerUnavailable
from bongsu.broker.port import Broker
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError
from bongsu.runtime.stop import StopSignal


@asynccontextmanager
async def opened(
    platform: PlatformSettings, *, stop: StopSignal | None = None, required: bool = True
) -> AsyncIterator[Broker]:
    """The RabbitMQ at `AMQP_URL`, connected; closed at the end.

    Where it is not `required`, a process starts also while the broker is down, and is connected once it is back.

    `stop` is set when the broker can be of no use any more although it answers, say because a queue was declared
    otherwise: the process ends, and with an error, so that it is started again and somebody looks.

    :raises SettingsError: AMQP_URL is missing or wrong.
    :raises StartError: it cannot be reached, or refuses the credentials; or, at the end, why `stop` was set.
    """
    fatal: list[BrokerError] = []

    def give_up(error: BrokerError) -> None:
        fatal.append(error)
        if stop is not None:
            stop.set()

    if platform.amqp_url is None:
        raise SettingsError(["AMQP_URL is missing (amqp://user:password@host/)"])
    try:
        broker = RabbitBroker(platform.amqp_url.get_secret_value(), on_fatal=give_up)
    except ValueError as error:
        raise SettingsError([f"AMQP_URL: {error}"]) from error
    try:
        try:
            await broker.connect(required=required)
        except (BrokerUnavailable, AccessRefused) as error:
            raise StartError(str(error)) from error
        yield broker
    finally:
        await broker.close()
    if fatal and stop is not None:
        raise StartError(str(fatal[0])) from fatal[0]
