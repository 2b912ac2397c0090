"""The CPU of one mail, from the request to `sent`: API, relay and worker together, as they run in this process.

The broker is in memory, and the stand-in for SES is a process of its own. The baseline is the bare handler of `accept`,
and then the bare loop of `deliver`, for the same mails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.accept import accept_on
from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.deliver import BARE_QUEUE, CountingBroker, bare_loop, ses
from bench.measure import Benchmark, Clock, Pair
from bongsu.broker import Message
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from bongsu_notify.worker import consume


@asynccontextmanager
async def sending(make_database: MakeDatabase) -> AsyncIterator[Pair]:
    """An operation is one mail of the normal lane."""
    async with make_database() as database, ses() as url:
        settings = NotifySettings().with_stand_ins(url)
        broker = CountingBroker()
        await broker.connect()
        vault, stop = Vault.parse(Vault.new_key()), StopSignal()
        async with (
            consume(database=database, broker=broker, vault=vault, settings=settings, stop=stop),
            accept_on(database, settings, broker) as accepting,
            Relay(database, broker).run(),
            bare_loop(broker, settings),
        ):
            sent = 0

            async def ours(operations: int) -> None:
                nonlocal sent
                broker.expect(operations)
                await accepting.ours(operations)
                await broker.all_acknowledged.wait()
                sent += operations
                found = await Notification.filter_by(status="sent").count()
                if found != sent:
                    raise RuntimeError(f"{sent - found} of {sent} mails were acknowledged and not sent")

            async def baseline(operations: int) -> None:
                broker.expect(operations)
                await accepting.baseline(operations)
                await broker.publish_many([(BARE_QUEUE, Message(id=str(uuid7()), body={})) for _ in range(operations)])
                await broker.all_acknowledged.wait()

            yield Pair(ours, baseline)
        await broker.close()


BENCHMARKS = (
    Benchmark("one mail: SQLite", lambda: sending(sqlite), None, Clock.CPU, round_s=1.0),
    *([Benchmark("one mail: MySQL", lambda: sending(mysql), None, Clock.CPU, round_s=1.0)] * has_mysql()),
)
