from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bongsu.contracts.guilds import GuildSummary
from bongsu.mixins import Database
from bongsu_bot.guilds import service
from bongsu_bot.guilds.models import Guild
from bongsu_bot.guilds.port import ListedGuild
from bongsu_bot.guilds.service import GuildSnapshot
from services.bot.tests.conftest import TABLES
from services.bot.tests.discord import BEACON_HILL, NIGHT_MARKET, SEOUL_DEVELOPERS
from tests.infrastructure.templates import WithTables

SNAPSHOT = GuildSnapshot(
    id=SEOUL_DEVELOPERS,
    name="서울 개발자 모임 🔥",
    icon=None,
    owner_id=200000000000000005,
    member_count=1289,
    joined_at=datetime(2026, 11, 1, tzinfo=UTC),
)


def listed(guild_id: int, member_count: int | None = None) -> ListedGuild:
    return ListedGuild(guild_id, "guild", None, member_count)


@pytest.fixture
async def database(with_tables: WithTables) -> AsyncIterator[Database]:
    """A database of each supported kind."""
    database = Database(with_tables(TABLES))
    yield database
    await database.dispose()


@pytest.mark.usefixtures("database")
class TestUpsert:
    async def test_upsert_reports_a_join_when_the_guild_is_new(self) -> None:
        (event,) = await service.upsert(SNAPSHOT)
        assert event.kind == "guild.joined"
        assert event.guild == GuildSummary.model_validate(await Guild.get(SNAPSHOT.id))
        assert event.guild.joined_at == SNAPSHOT.joined_at

    async def test_upsert_reports_nothing_when_nothing_changed(self) -> None:
        await service.upsert(SNAPSHOT)
        assert await service.upsert(SNAPSHOT) == []

    async def test_upsert_reports_an_update_when_the_name_changed(self) -> None:
        await service.upsert(SNAPSHOT)
        (event,) = await service.upsert(replace(SNAPSHOT, name="Seoul developers"))
        assert (event.kind, event.guild.name) == ("guild.updated", "Seoul developers")

    async def test_upsert_keeps_a_stored_value_when_the_new_one_is_unknown(self) -> None:
        await service.upsert(SNAPSHOT)
        assert await service.upsert(replace(SNAPSHOT, member_count=None, owner_id=None, joined_at=None)) == []

    async def test_upsert_reports_a_join_when_the_bot_had_left(self) -> None:
        await service.upsert(SNAPSHOT)
        await service.mark_left(SNAPSHOT.id)
        (event,) = await service.upsert(replace(SNAPSHOT, joined_at=None))
        assert event.kind == "guild.joined"
        assert event.guild.left_at is None


@pytest.mark.usefixtures("database")
class TestMarkUnavailable:
    async def test_an_outage_is_reported_and_its_end_is_an_update(self) -> None:
        await service.upsert(SNAPSHOT)
        (outage,) = await service.mark_unavailable(SNAPSHOT.id)
        (recovery,) = await service.upsert(SNAPSHOT)
        assert (outage.guild.status, recovery.guild.status) == ("unavailable", "active")
        assert (outage.kind, recovery.kind) == ("guild.unavailable", "guild.updated")

    async def test_mark_unavailable_reports_nothing_when_the_guild_is_unknown(self) -> None:
        assert await service.mark_unavailable(SNAPSHOT.id) == []


@pytest.mark.usefixtures("database")
class TestMarkLeft:
    async def test_mark_left_reports_the_guild_once(self) -> None:
        await service.upsert(SNAPSHOT)
        (event,) = await service.mark_left(SNAPSHOT.id)
        assert (event.kind, event.guild.status) == ("guild.left", "left")
        assert event.guild.left_at is not None
        assert await service.mark_left(SNAPSHOT.id) == []


@pytest.mark.usefixtures("database")
class TestReconcile:
    async def test_reconcile_marks_missing_guilds_of_the_own_shards_only(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.upsert(replace(SNAPSHOT, id=guild))
        # Of two shards, Seoul's is 0; the other guilds' is 1.
        events = await service.reconcile([listed(BEACON_HILL)], seen=(), unavailable=(), own={1}, shards=2)
        assert [event.guild.id for event in events] == [NIGHT_MARKET]

    async def test_reconcile_keeps_a_guild_that_was_seen_after_the_list_was_asked_for(self) -> None:
        await service.upsert(SNAPSHOT)
        assert await service.reconcile([], seen={SNAPSHOT.id}, unavailable=(), own={0}, shards=1) == []

    async def test_reconcile_stores_an_unknown_guild_with_an_outage(self) -> None:
        found = [listed(BEACON_HILL), listed(NIGHT_MARKET)]
        events = await service.reconcile(found, seen=(), unavailable={BEACON_HILL}, own={0}, shards=1)
        assert [(event.kind, event.guild.id, event.guild.status) for event in events] == [
            ("guild.joined", BEACON_HILL, "unavailable"),
            ("guild.joined", NIGHT_MARKET, "active"),
        ]
        (recovery,) = await service.upsert(replace(SNAPSHOT, id=BEACON_HILL))
        assert (recovery.kind, recovery.guild.status) == ("guild.updated", "active")

    async def test_reconcile_stores_a_guild_whose_event_was_lost(self) -> None:
        (event,) = await service.reconcile([listed(BEACON_HILL)], seen=(), unavailable=(), own={0}, shards=1)
        assert (event.kind, event.guild.status) == ("guild.joined", "active")
        assert (await Guild.get(BEACON_HILL)).status == "active"

    async def test_reconcile_stores_a_guild_again_that_the_bot_had_left(self) -> None:
        await service.upsert(SNAPSHOT)
        await service.mark_left(SNAPSHOT.id)
        (event,) = await service.reconcile([listed(SNAPSHOT.id)], seen=(), unavailable=(), own={0}, shards=1)
        assert (event.kind, event.guild.status) == ("guild.joined", "active")

    async def test_reconcile_updates_the_member_count(self) -> None:
        await service.upsert(SNAPSHOT)
        (event,) = await service.reconcile([listed(SNAPSHOT.id, 1290)], seen=(), unavailable=(), own={0}, shards=1)
        assert (event.kind, event.guild.member_count) == ("guild.updated", 1290)


@pytest.mark.usefixtures("database")
class TestQueries:
    async def test_list_page_omits_guilds_that_the_bot_left(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.upsert(replace(SNAPSHOT, id=guild))
        await service.mark_left(BEACON_HILL)
        found, following = await service.list_page(after=0, limit=1)
        assert ([guild.id for guild in found], following) == ([SEOUL_DEVELOPERS], SEOUL_DEVELOPERS)
        found, following = await service.list_page(after=SEOUL_DEVELOPERS, limit=5)
        assert ([guild.id for guild in found], following) == ([NIGHT_MARKET], None)

    async def test_search_finds_a_part_of_the_name_and_the_ids_of_guild_and_owner(self) -> None:
        await service.upsert(replace(SNAPSHOT, id=BEACON_HILL, name="Beacon 50%", owner_id=77))
        await service.upsert(replace(SNAPSHOT, id=SEOUL_DEVELOPERS, name="서울 개발자", owner_id=78))
        for search, found in {
            "beacon": [BEACON_HILL],
            "0%": [BEACON_HILL],
            "개발": [SEOUL_DEVELOPERS],
            "78": [SEOUL_DEVELOPERS],
            str(BEACON_HILL): [BEACON_HILL],
            "9" * 100: [],
            "%": [BEACON_HILL],
        }.items():
            page, _ = await service.list_page(after=0, limit=5, search=search)
            assert [guild.id for guild in page] == found, search

    async def test_find_includes_guilds_that_the_bot_left(self) -> None:
        await service.upsert(SNAPSHOT)
        await service.mark_left(SNAPSHOT.id)
        assert [guild.status for guild in await service.find([SNAPSHOT.id, BEACON_HILL])] == ["left"]

    async def test_count_counts_the_guilds_of_one_shard(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.upsert(replace(SNAPSHOT, id=guild))
        assert (await service.count(0, 2), await service.count(1, 2)) == (1, 2)
