"""The leases by which the bot's processes share its shards.

Each process renews its leases in the database, takes free and expired ones up to its fair share, and gives those above
it back when their connections are closed. A process that the database does not answer keeps its connections: Discord
accepts one answer for each command, and `require` fences everything that it would write.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import Database, MixinError, Q, utc_now, uuid7
from bongsu.runtime.background import in_background
from bongsu.runtime.logging import get_logger
from bongsu_bot.errors import ShardUnavailable
from bongsu_bot.shards.models import BotReplica, ShardLease

log = get_logger(__name__)
LEASE_S: Final = 12.0
RENEW_S: Final = 3.0
_RELEASE_S = 2.0
_DATABASE_S: Final = 5.0
"""How long the database may take: after one answer that never comes, there is time for another renewal."""


class ShardLeases:
    """The leases of this process.

    :param total: the bot's shards, over all processes.
    :param lease_s: how long a shard stays with a process that no longer renews its lease.
    """

    def __init__(self, database: Database, total: int, *, lease_s: float = LEASE_S, renew_s: float = RENEW_S) -> None:
        self.total = total
        self._database = database
        self._lease_s = lease_s
        self._renew_s = renew_s
        self._id = uuid7()
        self._epochs: dict[int, int] = {}
        self._running: frozenset[int] = frozenset()
        # Processes that start together register first: else the first would log all shards in, and then restart.
        self._may_take = total == 1
        self.own: frozenset[int] = frozenset()
        self.processes = 1
        """How many processes the bot has, as of the last renewal."""
        self.changed = asyncio.Event()
        """Set and replaced when `own` changes."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold leases while the block runs, and release them at its end."""
        await self._renew()
        async with in_background(self._run(), name="shard leases"):
            yield
        with contextlib.suppress(SQLAlchemyError, MixinError, OSError, TimeoutError):
            async with asyncio.timeout(_RELEASE_S):
                await self._database.run(_leave, self._id)

    def set_running(self, shards: Collection[int]) -> None:
        """Note which shards have connections. Those above the fair share are given back once they have none."""
        self._running = frozenset(shards)

    async def wait_for_change(self, known: frozenset[int]) -> None:
        """Wait until `own` differs."""
        while self.own == known:
            await self.changed.wait()

    async def require(self, *shards: int) -> None:
        """Require that this process still holds the shards, in the caller's unit of work, until its end.

        :raises ShardUnavailable: another process holds one.
        """
        held = await ShardLease.filter_by(shard__in=[*shards], holder_id=self._id).lock(read=True).all()
        if any(self._epochs.get(lease.shard) != lease.epoch for lease in held) or len(held) < len({*shards}):
            raise ShardUnavailable("Another process has taken over the shard")

    async def fence(self, shard: int) -> None:
        """As `require`, in a unit of work of its own: for a change at Discord."""
        await self._database.run(self.require, shard)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            await self._renew()

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(_DATABASE_S):
                epochs, self.processes = await self._database.run(self._share)
        except (SQLAlchemyError, MixinError, OSError) as error:
            log.warning("shards.not_renewed", error=type(error).__name__)
            return
        self._may_take = True
        own, self._epochs = frozenset(epochs), epochs
        if own != self.own:
            log.info("shards.changed", shards=sorted(own), before=sorted(self.own), of=self.total)
            self.own = own
            self.changed.set()
            self.changed = asyncio.Event()

    async def _share(self) -> tuple[dict[int, int], int]:
        """Renew, take and give back leases.

        :return: the epochs of those that this process shall run, and the number of processes.
        """
        until = utc_now(self._lease_s)
        await BotReplica.create_or_update(id=self._id, expires_at=until)
        await BotReplica.filter_by(expires_at__lt=utc_now()).delete()
        replicas = await BotReplica.query().count()
        # Locked in one order, so that two processes that share at the same time meet no deadlock.
        leases = {one.shard: one for one in await ShardLease.query().order_by("shard").lock().all()}
        for shard in sorted({*range(self.total)} - leases.keys()):
            leases[shard] = await ShardLease.create(shard=shard, expires_at=utc_now())
        free = await ShardLease.filter_by(Q(holder_id=None) | Q(expires_at__lt=utc_now())).order_by("shard").all()
        mine = [shard for shard, one in sorted(leases.items()) if one.holder_id == self._id and shard < self.total]
        fair = -(-self.total // replicas)
        kept = mine[:fair]
        closed = [shard for shard in mine[fair:] if shard not in self._running]
        await ShardLease.filter_by(holder_id=self._id).update(expires_at=until)
        await ShardLease.filter_by(shard__in=closed).update(holder_id=None)
        if self._may_take:
            takeable = [one.shard for one in free if one.shard < self.total and one.shard not in mine]
            for shard in takeable[: fair - len(kept)]:
                leases[shard].epoch += 1
                changes = {"holder_id": self._id, "epoch": leases[shard].epoch, "expires_at": until}
                await ShardLease.filter_by(shard=shard).update(**changes)
                kept.append(shard)
        return {shard: leases[shard].epoch for shard in kept}, replicas


async def release_all() -> None:
    """Release every lease: the caller knows that no other process of the bot runs."""
    await BotReplica.query().unfiltered().delete()
    await ShardLease.query().unfiltered().update(holder_id=None)


async def _leave(replica_id: UUID) -> None:
    await BotReplica.filter_by(id=replica_id).delete()
    await ShardLease.filter_by(holder_id=replica_id).update(holder_id=None)
