"""The rate of SES, shared: four worker processes with a backlog of normal and bulk mails, at 14 a second.

SES is the stand-in, whose ledger has the time of each arrival. RabbitMQ and MySQL are real: TEST_AMQP_URL names a
broker that no other Bongsu uses.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import make_url

from bench.databases import has_mysql, mysql
from bench.deliver import make_notification, ses, wake_up
from bongsu.broker import QueueSpec
from bongsu.broker.rabbitmq import RabbitBroker
from bongsu.contracts.queues import ALL_QUEUES, DELIVER
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_notify.notifications.models import Notification
from tests.ports import free_port

NAME: Final = "SES pacing: 4 workers, normal and bulk"
AMQP_VARIABLE: Final = "TEST_AMQP_URL"
RATE: Final = 14.0
TARGET: Final = RATE * 0.95
WORKERS: Final = 4
SECOND: Final = timedelta(seconds=1)
WARM_UP: Final = timedelta(seconds=3)


@dataclass(frozen=True)
class Pacing:
    """How fast calls arrived: the most in any second, and the mean rate a second."""

    most: int
    mean: float

    @property
    def is_kept(self) -> bool:
        """At most the rate and one in any second, and a mean within 2 % of the target."""
        return self.most <= RATE + 1 and abs(self.mean / TARGET - 1) <= 0.02

    def __str__(self) -> str:
        verdict = "kept" if self.is_kept else "MISSED"
        return (
            f"{NAME}: at most {self.most} in a second (budget {RATE + 1:g}), "
            f"mean {self.mean:.2f}/s (budget {TARGET:g} ± 2 %): {verdict}"
        )


def can_measure() -> bool:
    """Whether a database and a broker are given."""
    return has_mysql() and bool(os.environ.get(AMQP_VARIABLE))


async def measure(duration_s: float = 60.0) -> list[Pacing]:
    """Run the workers, and read the times of the calls."""
    duration = timedelta(seconds=duration_s)
    mails = int((duration + 2 * WARM_UP).total_seconds() * TARGET)
    async with mysql() as database, ses(SANDBOX_SES_MAX_SEND_RATE=str(RATE)) as url, _workers(database, url):
        await _fill(database, mails)
        async with httpx.AsyncClient(base_url=url) as client:
            while True:
                await asyncio.sleep(1)
                arrivals = await _read_arrivals(client)
                if arrivals and arrivals[-1] >= arrivals[0] + WARM_UP + duration:
                    break
    start = arrivals[0] + WARM_UP
    return [summarise([at for at in arrivals if start <= at < start + duration], duration)]


def summarise(arrivals: Sequence[datetime], duration: timedelta) -> Pacing:
    """The rate of calls that arrived, in order of time."""
    most = max(sum(start <= at < start + SECOND for at in arrivals[index:]) for index, start in enumerate(arrivals))
    return Pacing(most, len(arrivals) / duration.total_seconds())


async def _fill(database: Database, mails: int) -> None:
    made = [make_notification() for _ in range(mails)]
    async with database.unit():
        await Notification.bulk_create(made)
    broker = RabbitBroker(os.environ[AMQP_VARIABLE])
    await broker.connect()
    await broker.declare(*(QueueSpec(name) for name in ALL_QUEUES))
    lanes = [DELIVER["email"]["bulk" if number % 2 else "normal"] for number in range(mails)]
    await broker.publish_many([(lane, wake_up(one)) for lane, one in zip(lanes, made, strict=True)])
    await broker.close()


async def _read_arrivals(client: httpx.AsyncClient) -> Sequence[datetime]:
    answer = await client.get("/sandbox/ledger", params={"format": "json"})
    return sorted(datetime.fromisoformat(entry["accepted_at"]) for entry in answer.raise_for_status().json()["items"])


@asynccontextmanager
async def _workers(database: Database, sandbox_url: str) -> AsyncIterator[None]:
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
    }
    async with AsyncExitStack() as stack:
        for _ in range(WORKERS):
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bongsu_notify", "worker"),
                env=environment | {"PORT": str(free_port())},
                stderr=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(worker.wait)
            stack.callback(worker.terminate)
        yield
