"""Runs the relay, with its health and metrics on a port: `python -m bongsu.outbox`."""

import sys
from collections.abc import Sequence

from bongsu.broker import BrokerError, QueueSpec
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.outbox import MIGRATIONS
from bongsu.outbox.relay import Relay
from bongsu.process.broker import open_broker
from bongsu.process.database import open_database
from bongsu.process.lifecycle import open_process
from bongsu.process.server import run
from bongsu.runtime.errors import StartError
from bongsu.runtime.health import create_health_app
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu.runtime.stop import StopSignal

REQUIRED = ("MYSQL_HOST", "AMQP_URL")


async def relay(stop: StopSignal, queue_names: Sequence[str] = ALL_QUEUES) -> None:
    """Relay until `stop` is set.

    :raises StartError: settings, port, database, broker or queues cannot be used.
    """
    (platform,) = load(PlatformSettings, dotenv=DOTENV, required=REQUIRED)
    async with open_process(platform, stop) as process:
        database = await open_database(process, MIGRATIONS)
        broker = await open_broker(process)
        queues = [QueueSpec(name) for name in queue_names]
        try:
            await broker.declare(*queues)
        except BrokerError as error:
            raise StartError(str(error)) from error
        metrics = Metrics("relay")
        await process.enter(Relay(database, broker, queues=queues, registry=metrics.registry).run())
        await process.serve(create_health_app(metrics=metrics))


if __name__ == "__main__":
    sys.exit(run(relay))
