import asyncio
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest

from bongsu.mixins import Database, utc_now
from bongsu_bot.errors import ShardUnavailable
from bongsu_bot.shards.leases import ShardLeases, release_all
from bongsu_bot.shards.models import BotReplica, ShardLease
from services.bot.tests.conftest import TABLES
from tests.infrastructure.templates import WithTables


@pytest.fixture
async def each_database(with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(with_tables(TABLES))
    yield database
    await database.dispose()


async def renewed(*processes: ShardLeases, times: int = 2) -> list[frozenset[int]]:
    """Renew the leases of each in turn, as their loops do. The connections follow at the same moment."""
    for _ in range(times):
        for one in processes:
            await one._renew()
            one.set_running(one.own)
    return [one.own for one in processes]


async def crash(process: ShardLeases) -> None:
    """Let the time of a process's leases pass."""
    await BotReplica.filter_by(id=process._id).update(expires_at=utc_now(-1))
    await ShardLease.filter_by(holder_id=process._id).update(expires_at=utc_now(-1))


class TestShare:
    async def test_three_processes_split_the_shards(self, each_database: Database) -> None:
        processes = [ShardLeases(each_database, 3) for _ in range(3)]
        assert sorted(map(sorted, await renewed(*processes))) == [[0], [1], [2]]
        assert await renewed(*processes, times=3) == [one.own for one in processes]

    async def test_a_surplus_shard_moves_when_its_connection_is_closed(self, each_database: Database) -> None:
        old, new = ShardLeases(each_database, 2), ShardLeases(each_database, 2)
        await renewed(old)
        assert old.own == {0, 1}
        await new._renew()
        await old._renew()
        assert old.own == {0}
        with pytest.raises(ShardUnavailable):
            await old.fence(1)
        await renewed(new)
        await old._renew()
        assert new.own == frozenset()
        old.set_running({0})
        assert await renewed(old, new) == [{0}, {1}]
        assert await ShardLease.query().order_by("shard").pluck("epoch") == [1, 2]

    async def test_a_dead_process_is_replaced_and_fenced(self, each_database: Database) -> None:
        dead, other = ShardLeases(each_database, 1), ShardLeases(each_database, 1)
        assert await renewed(dead, other) == [{0}, frozenset()]
        await dead.fence(0)
        await crash(dead)
        assert await renewed(other) == [{0}]
        with pytest.raises(ShardUnavailable):
            await dead.fence(0)
        await other.fence(0)
        assert await renewed(dead, other) == [frozenset(), {0}]

    async def test_a_process_that_took_a_shard_back_is_not_fenced(self, each_database: Database) -> None:
        slow = ShardLeases(each_database, 1)
        await renewed(slow)
        await crash(slow)
        await renewed(slow)
        await slow.fence(0)

    async def test_no_shard_has_two_holders_when_processes_share_together(self, each_database: Database) -> None:
        processes = [ShardLeases(each_database, 4) for _ in range(3)]
        for _ in range(4):
            await asyncio.gather(*(one._renew() for one in processes))
            for one in processes:
                one.set_running(one.own)
            owned = [shard for one in processes for shard in one.own]
            assert len(owned) == len({*owned})

    async def test_a_process_that_ends_releases_its_shards(self, each_database: Database) -> None:
        ending, other = ShardLeases(each_database, 1), ShardLeases(each_database, 1)
        async with ending.running():
            assert await renewed(other) == [frozenset()]
        assert await renewed(other, times=1) == [{0}]

    async def test_release_all_frees_the_shards_of_the_processes_before(self, database: Database) -> None:
        killed, restarted = ShardLeases(database, 1), ShardLeases(database, 1)
        await renewed(killed)
        async with database.unit():
            await release_all()
        assert await renewed(restarted, times=1) == [{0}]

    async def test_shards_stay_while_the_database_is_unavailable(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leases = ShardLeases(database, 1)
        await renewed(leases)
        monkeypatch.setattr(database, "run", AsyncMock(side_effect=OSError("away")))
        assert await renewed(leases) == [{0}]
