"""One-time codes beside calls that hang, and behind a backlog of bulk: how long it takes until SES has accepted them.

API, relay and worker run in this process, with the broker in memory. SES is the stand-in, a process of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Final
from uuid import UUID

import httpx

from bench.databases import has_mysql, mysql
from bench.deliver import make_notification, ses
from bongsu import outbox
from bongsu.broker import QueueSpec
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import ALL_QUEUES, Priority
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.models import LANES, OutboxMessage
from bongsu.outbox.publisher import Publisher
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.wakeups import wake_up
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import consume
from tests.eventually import eventually

NAME: Final = "one-time codes"
CODES: Final = 20
PAUSE_S: Final = 0.25
BULK: Final = 50_000
SOME_BULK: Final = 200
CHUNK: Final = 1_000
PUBLISHED_WITHIN_S: Final = 300.0
RATE: Final = 14
"""Of SES while the backlog of bulk is sent: that of a new account."""


@dataclass(frozen=True)
class Delay:
    """The 95th percentile of the times from the commit of a code until SES has accepted it."""

    name: str
    p95_s: float
    limit_s: float

    @property
    def is_kept(self) -> bool:
        """Whether it is below the limit."""
        return self.p95_s < self.limit_s

    def __str__(self) -> str:
        verdict = "kept" if self.is_kept else "MISSED"
        return f"{NAME}, {self.name}: p95 {self.p95_s:.2f} s (budget {self.limit_s:g} s): {verdict}"


def can_measure() -> bool:
    """Whether a database is given."""
    return has_mysql()


async def measure() -> list[Delay]:
    """Measure all three."""
    return [
        await beside_hanging_calls(rate=10_000),
        await beside_hanging_calls(rate=RATE, bulk=SOME_BULK),
        await behind_bulk(),
    ]


async def beside_hanging_calls(*, rate: int, bulk: int = 0) -> Delay:
    """Two calls of the high lane hang while the codes are sent, and so many mails of the bulk lane wait."""
    async with _running(rate) as (database, sandbox):
        fault = {"target": "ses", "kind": "hang", "detail": 9}
        (await sandbox.post("/sandbox/faults", json=fault)).raise_for_status()
        for _ in range(2):
            await _accept(database, "high")
        await eventually(lambda: _hits(sandbox, 2))
        (await sandbox.delete("/sandbox/faults")).raise_for_status()
        await _queue_bulk(database, bulk)
        name = f"two calls hang, {bulk} of bulk queued" if bulk else "two calls hang"
        return Delay(name, await _send_codes(database, sandbox), 1.0)


async def behind_bulk() -> Delay:
    """So many mails of the bulk lane are queued, and are being sent at SES's rate."""
    async with _running(RATE) as (database, sandbox):
        await _queue_bulk(database, BULK)
        return Delay(f"{BULK:,} of bulk queued", await _send_codes(database, sandbox), 2.0)


async def _queue_bulk(database: Database, count: int) -> None:
    for start in range(0, count, CHUNK):
        made = [make_notification("bulk") for _ in range(min(CHUNK, count - start))]
        async with database.unit():
            await Notification.bulk_create(made)
            wake_ups = [wake_up(one.id, one.channel, "bulk") for one in made]
            await outbox.append_many(wake_ups, now=datetime.now(UTC))
    await eventually(_is_published, PUBLISHED_WITHIN_S)


@asynccontextmanager
async def _running(rate: int) -> AsyncIterator[tuple[Database, httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mysql())
        url = await stack.enter_async_context(ses(SANDBOX_SES_MAX_SEND_RATE=str(rate)))
        broker = MemoryBroker()
        await broker.connect()
        await broker.declare(*(QueueSpec(name) for name in ALL_QUEUES))
        settings, vault = NotifySettings().with_stand_ins(url), Vault.parse(Vault.new_key())
        worker = consume(database=database, broker=broker, vault=vault, settings=settings, stop=StopSignal())
        for context in (worker, Relay(database, broker).run(), Publisher(database, broker).run()):
            await stack.enter_async_context(context)
        yield database, await stack.enter_async_context(httpx.AsyncClient(base_url=url))


async def _accept(database: Database, priority: Priority) -> UUID:
    one = make_notification(priority)
    async with database.unit():
        await one.save()
        message = wake_up(one.id, one.channel, priority)
        await outbox.append(message.queue, message.body, lane=message.lane)
    return one.id


async def _send_codes(database: Database, sandbox: httpx.AsyncClient) -> float:
    """Send codes one after another; the 95th percentile of their delays in seconds."""
    committed_at: dict[UUID, float] = {}
    for _ in range(CODES):
        committed_at[await _accept(database, "high")] = time.time()
        await asyncio.sleep(PAUSE_S)

    async def all_are_accepted() -> dict[UUID, float] | None:
        accepted_at = await _read_ledger(sandbox)
        return accepted_at if committed_at.keys() <= accepted_at.keys() else None

    accepted_at = await eventually(all_are_accepted)
    assert accepted_at is not None  # noqa: S101 - as it is waited for
    return quantiles([accepted_at[one] - at for one, at in committed_at.items()], n=20, method="inclusive")[-1]


async def _read_ledger(sandbox: httpx.AsyncClient) -> dict[UUID, float]:
    answer = await sandbox.get("/sandbox/ledger", params={"format": "json"})
    return {
        UUID(entry["tags"]["notification_id"]): datetime.fromisoformat(entry["accepted_at"]).timestamp()
        for entry in answer.raise_for_status().json()["items"]
    }


async def _is_published() -> bool:
    waiting: bool = await OutboxMessage.filter_by(lane__in=LANES, published_at=None).exists()
    return not waiting


async def _hits(sandbox: httpx.AsyncClient, count: int) -> bool:
    answer = await sandbox.get("/sandbox/faults", params={"format": "json"})
    return bool(sum(fault["hits"] for fault in answer.raise_for_status().json()["items"]) >= count)
