"""Delivering, against a loop that consumes, sends and acknowledges and has no database.

Both sides consume from a broker in this process and send to the same stand-in for SES, which is a process of its own.
"""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
import httpx
from botocore.config import Config

from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.measure import Benchmark, Clock, Pair, Staged, at_least
from bongsu.broker import Delivery, Message, QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.memory.consumer import MemoryConsumer, MemoryDelivery
from bongsu.broker.memory.hub import MemoryQueue
from bongsu.broker.port import BatchHandler
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu.runtime.stop import StopSignal
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import STAND_IN_CREDENTIAL, NotifySettings
from bongsu_notify.worker import consume

BARE_QUEUE = "bench.bare"
SENDER = "no-reply@bongsu.test"
START_S = 30.0
_BULK: dict[str, Any] = {"concurrency": 400, "batch": 150}
"""As `docs/operations.md` advises for a worker that sends in bulk. The baseline has the same prefetch."""


class CountingBroker(MemoryBroker):
    """Sets `all_acknowledged` when the expected number of messages is acknowledged: both sides end by it."""

    def __init__(self) -> None:
        super().__init__()
        self.all_acknowledged = asyncio.Event()
        self._left = 0

    def expect(self, count: int) -> None:
        """Start to count acknowledgements."""
        self._left = count
        self.all_acknowledged.clear()

    async def consume(self, queue: str, handler: BatchHandler, **options: Any) -> MemoryConsumer:  # noqa: ANN401 - the port's
        """As `Broker.consume`."""
        consumer = await super().consume(queue, handler, **options)
        settle = consumer.settle

        def count(delivery: MemoryDelivery) -> MemoryQueue | None:
            self._left -= 1
            if self._left == 0:
                self.all_acknowledged.set()
            return settle(delivery)

        consumer.settle = count  # type: ignore[method-assign]  # the only place that every acknowledgement passes
        return consumer


@asynccontextmanager
async def ses(**environ: str) -> AsyncIterator[str]:
    """The stand-in's address. `environ` are settings of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bongsu-bench-") as folder:
        environment = os.environ | {"PORT": str(port), "HOST": "127.0.0.1", "LOG_LEVEL": "ERROR", "BONGSU_VAR": folder}
        environment |= {"SANDBOX_DATA_DIR": f"{folder}/sandbox", "SANDBOX_SES_SEND_EVENTS": "false"} | environ
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bongsu_sandbox", cwd=folder, env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await _answers(url)
            yield url
        finally:
            process.terminate()
            await process.wait()


async def _answers(url: str) -> None:
    async with asyncio.timeout(START_S), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


def make_notification(priority: Priority = "normal") -> Notification:
    """An accepted mail, not yet stored."""
    return Notification(
        priority=priority,
        principal="bench",
        channel="email",
        recipient="a@example.com",
        to={"email": "a@example.com", "name": None},
        subject="The beacons are lit",
        content={"text": "봉화가 올랐다"},
        status="accepted",
    )


def wake_up(one: Notification) -> Message:
    """The message that has a mail sent."""
    return Message(id=str(uuid7()), body=DeliveryWakeup(notification_id=one.id).model_dump(mode="json"))


@asynccontextmanager
async def delivering(make_database: MakeDatabase, lane: Priority = "normal") -> AsyncIterator[Pair]:
    """An operation is one mail of the lane, from its message to its settling. SES takes 10,000 a second."""
    async with make_database() as database, ses() as url:
        settings = NotifySettings(**_BULK if lane == "bulk" else {}).with_stand_ins(url)
        broker, stop = CountingBroker(), StopSignal()
        await broker.connect()
        waiting: list[Message] = []
        made: list[Notification] = []

        async def make_notifications(operations: int) -> None:
            made[:] = [make_notification(lane) for _ in range(operations)]
            await Notification.bulk_create(made)
            waiting[:] = [wake_up(one) for one in made]

        async def ours(operations: int) -> None:
            await run([(DELIVER["email"][lane], message) for message in waiting])
            sent = await Notification.filter_by(id__in=[one.id for one in made], status="sent").count()
            if sent != operations:
                raise RuntimeError(f"{operations - sent} of {operations} mails were acknowledged and not sent")

        async def baseline(operations: int) -> None:
            await run([(BARE_QUEUE, Message(id=str(uuid7()), body={})) for _ in range(operations)])

        async def run(messages: list[tuple[str, Message]]) -> None:
            broker.expect(len(messages))
            await broker.publish_many(messages)
            await broker.all_acknowledged.wait()

        async with (
            consume(database=database, broker=broker, vault=Vault.parse(Vault.new_key()), settings=settings, stop=stop),
            bare_loop(broker, settings),
        ):
            yield Pair(Staged(make_notifications, ours), baseline)
        await broker.close()


@asynccontextmanager
async def bare_loop(broker: CountingBroker, settings: NotifySettings) -> AsyncIterator[None]:
    """The baseline: it sends a mail for each message of `BARE_QUEUE`, and acknowledges it."""
    async with _client(settings) as client:

        async def send(deliveries: list[Delivery]) -> None:
            for delivery in deliveries:
                await client.send_email(
                    FromEmailAddress=SENDER,
                    Destination={"ToAddresses": ["a@example.com"]},
                    Content={
                        "Simple": {
                            "Subject": {"Data": "The beacons are lit"},
                            "Body": {"Text": {"Data": "봉화가 올랐다"}},
                        }
                    },
                )
                await delivery.ack()

        await broker.declare(QueueSpec(BARE_QUEUE))
        await broker.consume(BARE_QUEUE, send, prefetch=settings.concurrency)
        yield


def _client(settings: NotifySettings) -> Any:  # noqa: ANN401 - botocore makes its clients' types when it runs
    session = aioboto3.Session(
        aws_access_key_id=STAND_IN_CREDENTIAL,
        aws_secret_access_key=STAND_IN_CREDENTIAL,
        region_name=settings.ses_region,
    )
    return session.client(
        "sesv2",
        endpoint_url=settings.ses_endpoint_url,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=settings.concurrency),
    )


BENCHMARKS = (
    Benchmark("deliver, normal lane: SQLite", lambda: delivering(sqlite), None, Clock.WALL, round_s=1.0),
    *(
        [
            Benchmark("deliver, normal lane: MySQL", lambda: delivering(mysql), at_least(1.0), Clock.WALL, round_s=1.0),
            Benchmark(
                "deliver, bulk lane: MySQL", lambda: delivering(mysql, "bulk"), at_least(5.0), Clock.WALL, round_s=1.0
            ),
        ]
        * has_mysql()
    ),
)
