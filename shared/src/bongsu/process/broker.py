"""The broker of a process: the RabbitMQ that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bongsu.broker import AccessRefused, Broker, BrokerError, BrokerUnavailable
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.process.lifecycle import Process
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError
from bongsu.runtime.stop import StopSignal


async def open_broker(process: Process, *, required: bool = True) -> Broker:
    """Connect to the broker of the settings; `/readyz` reports the connection.

    Where it is not `required`, the process starts without it too, and connects when the broker is back. Where it is,
    an error that no reconnect can solve (a queue was declared with other arguments) stops the process.

    :raises SettingsError: AMQP_URL is missing or wrong.
    :raises StartError: required, and it cannot be reached or refuses the credentials; or why it stopped the process.
    """
    broker = await process.enter(
        connect_broker(process.platform, stop=process.stop if required else None, required=required)
    )
    report_broker(process, broker)
    return broker


def report_broker(process: Process, broker: Broker) -> None:
    """Report in `/readyz` whether the broker is connected."""

    async def is_connected() -> bool:
        return broker.connected

    process.report("broker", is_connected)


@asynccontextmanager
async def connect_broker(
    platform: PlatformSettings, *, stop: StopSignal | None = None, required: bool = True
) -> AsyncIterator[Broker]:
    """Connect to the RabbitMQ at `AMQP_URL`, and disconnect at the end.

    :param stop: set at an error that no reconnect can solve, which is raised at the end.
    :param required: fail where it cannot be reached; else connect in the background.
    :raises SettingsError: AMQP_URL is missing or wrong.
    :raises StartError: it cannot be reached or refuses the credentials; or why `stop` was set.
    """
    fatal: list[BrokerError] = []

    def stop_process(error: BrokerError) -> None:
        fatal.append(error)
        if stop is not None:
            stop.set()

    if platform.amqp_url is None:
        raise SettingsError(["AMQP_URL is missing (amqp://user:password@host/)"])
    try:
        broker = RabbitBroker(platform.amqp_url.get_secret_value(), on_fatal=stop_process)
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
