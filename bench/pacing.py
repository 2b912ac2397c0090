"""The rate of SES, shared: worker processes with a backlog of normal and bulk mails, at 14 a second.

Four run all the time; or one runs, then four, then one again. SES is the stand-in, whose ledger has the time of each
arrival. RabbitMQ and MySQL are real: TEST_AMQP_URL names a broker, or a virtual host, that no other Bongsu uses.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import make_url

from bench.databases import has_mysql, mysql
from bench.deliver import make_notification, ses
from bongsu import outbox
from bongsu.broker import QueueSpec
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.contracts.notifications import UNFINISHED
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.relay import Relay
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.wakeups import wake_up
from tests.eventually import eventually
from tests.ports import free_port

NAME: Final = "SES pacing, normal and bulk"
AMQP_VARIABLE: Final = "TEST_AMQP_URL"
RATE: Final = 14.0
TARGET: Final = RATE * 0.95
CONSTANT: Final = (4,)
SCALED: Final = (1, 4, 1)
"""How many workers run, each for the same part of the time."""
SECOND: Final = timedelta(seconds=1)
WARM_UP: Final = timedelta(seconds=3)
ENDS_WITHIN_S: Final = 120.0


@dataclass(frozen=True)
class Pacing:
    """How fast calls arrived: the most in any second, and the mean rate a second.

    :param missing: mails that were not sent.
    :param repeated: calls for a mail that another call had sent.
    """

    name: str
    most: int
    mean: float
    missing: int
    repeated: int

    @property
    def is_kept(self) -> bool:
        """At most the rate and one in any second, a mean within 2 % of the target, and each mail sent once."""
        is_paced = self.most <= RATE + 1 and abs(self.mean / TARGET - 1) <= 0.02
        return is_paced and not self.missing and not self.repeated

    def __str__(self) -> str:
        verdict = "kept" if self.is_kept else "MISSED"
        return (
            f"{NAME}, {self.name}: at most {self.most} in a second (budget {RATE + 1:g}), "
            f"mean {self.mean:.2f}/s (budget {TARGET:g} ± 2 %), "
            f"{self.missing} missing, {self.repeated} repeated: {verdict}"
        )


def can_measure() -> bool:
    """Whether a database and a broker are given."""
    return has_mysql() and bool(os.environ.get(AMQP_VARIABLE))


async def measure(duration_s: float = 60.0) -> list[Pacing]:
    """Measure with four workers, and while workers come and go."""
    return [await measure_with(workers, duration_s) for workers in (CONSTANT, SCALED)]


async def measure_with(workers: Sequence[int], duration_s: float) -> Pacing:
    """Run so many workers, one number after the other, and read the times of the calls."""
    duration = timedelta(seconds=duration_s)
    mails = int((duration + 2 * WARM_UP).total_seconds() * TARGET)
    part_s = (duration + 2 * WARM_UP).total_seconds() / len(workers)
    async with (
        mysql() as database,
        ses(SANDBOX_SES_MAX_SEND_RATE=str(RATE)) as url,
        _queued(database, mails),
        httpx.AsyncClient(base_url=url) as client,
        AsyncExitStack() as stack,
    ):
        running: list[asyncio.subprocess.Process] = []
        for count in workers:
            for worker in running[count:]:
                worker.terminate()
            del running[count:]
            while len(running) < count:
                running.append(await stack.enter_async_context(_worker(database, url)))
            await asyncio.sleep(part_s)
        await eventually(_all_have_ended, ENDS_WITHIN_S)
        sent = await _read_ledger(client)
    arrivals = sorted(at for times in sent.values() for at in times)
    start = arrivals[0] + WARM_UP
    return summarise(
        f"{' → '.join(map(str, workers))} workers",
        [at for at in arrivals if start <= at < start + duration],
        duration,
        missing=mails - len(sent),
        repeated=len(arrivals) - len(sent),
    )


def summarise(
    name: str, arrivals: Sequence[datetime], duration: timedelta, *, missing: int = 0, repeated: int = 0
) -> Pacing:
    """The rate of calls that arrived, in order of time."""
    most = max(sum(start <= at < start + SECOND for at in arrivals[index:]) for index, start in enumerate(arrivals))
    return Pacing(name, most, len(arrivals) / duration.total_seconds(), missing, repeated)


@asynccontextmanager
async def _queued(database: Database, mails: int) -> AsyncIterator[None]:
    """Store so many mails of both lanes, and publish them, and again what a worker that ended has not begun."""
    broker = RabbitBroker(os.environ[AMQP_VARIABLE])
    await broker.connect()
    await broker.declare(*(QueueSpec(name) for name in ALL_QUEUES))
    made = [make_notification("bulk" if number % 2 else "normal") for number in range(mails)]
    async with database.unit():
        await Notification.bulk_create(made)
        await outbox.append_many([wake_up(one.id, one.channel, one.priority) for one in made], now=datetime.now(UTC))
    async with Relay(database, broker).run():
        yield
    await broker.close()


async def _all_have_ended() -> bool:
    waiting: bool = await Notification.filter_by(status__in=sorted(UNFINISHED)).exists()
    return not waiting


async def _read_ledger(client: httpx.AsyncClient) -> Mapping[str, Sequence[datetime]]:
    """The times of the calls for each mail."""
    answer = await client.get("/sandbox/ledger", params={"format": "json"})
    sent: dict[str, list[datetime]] = {}
    for entry in answer.raise_for_status().json()["items"]:
        sent.setdefault(entry["tags"]["notification_id"], []).append(datetime.fromisoformat(entry["accepted_at"]))
    return sent


@asynccontextmanager
async def _worker(database: Database, sandbox_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    server = make_url(database.engine.url)
    environment = os.environ | {
        "MYSQL_HOST": server.host or "127.0.0.1",
        "MYSQL_PORT": str(server.port or 3306),
        "MYSQL_USER": server.username or "root",
        "MYSQL_PASSWORD": server.password or "",
        "MYSQL_DATABASE": server.database or "",
        "AMQP_URL": os.environ[AMQP_VARIABLE],
        "BONGSU_VAULT_KEYS": Vault.new_key(),
        "BONGSU_SANDBOX_URL": sandbox_url,
        "LOG_LEVEL": "WARNING",
        "PORT": str(free_port()),
    }
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bongsu_notify", "worker"), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            worker.terminate()
        await worker.wait()
