from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bongsu.mixins import Database
from bongsu_bot.guilds import service
from bongsu_bot.guilds.models import Guild
from bongsu_bot.guilds.service import Sighting
from services.bot.tests.discord import BEACON_HILL, NIGHT_MARKET, SEOUL_DEVELOPERS

SEEN = Sighting(
    id=SEOUL_DEVELOPERS,
    name="서울 개발자 모임 🔥",
    icon=None,
    owner_id=200000000000000005,
    member_count=1289,
    joined_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """On each kind of database."""
    database = Database(database_url)
    await database.create_all()
    yield database
    await database.dispose()


@pytest.mark.usefixtures("database")
class TestSee:
    async def test_a_new_guild_was_joined(self) -> None:
        event = await service.see(SEEN)
        assert event is not None
        assert event.kind == "guild.joined"
        assert event.guild == (await Guild.get(SEEN.id)).summary
        assert event.guild.joined_at == SEEN.joined_at

    async def test_a_guild_that_is_as_known_is_no_news(self) -> None:
        await service.see(SEEN)
        assert await service.see(SEEN) is None

    async def test_another_name_is_an_update(self) -> None:
        await service.see(SEEN)
        event = await service.see(replace(SEEN, name="Seoul developers"))
        assert event is not None
        assert (event.kind, event.guild.name) == ("guild.updated", "Seoul developers")

    async def test_what_is_not_known_keeps_what_was(self) -> None:
        await service.see(SEEN)
        assert await service.see(replace(SEEN, member_count=None, owner_id=None, joined_at=None)) is None

    async def test_a_guild_that_was_left_is_joined_again(self) -> None:
        await service.see(SEEN)
        await service.lose(SEEN.id)
        event = await service.see(replace(SEEN, joined_at=None))
        assert event is not None
        assert event.kind == "guild.joined"
        assert event.guild.left_at is None


@pytest.mark.usefixtures("database")
class TestSuspend:
    async def test_an_outage_and_its_end_are_updates(self) -> None:
        await service.see(SEEN)
        outage = await service.suspend(SEEN.id)
        back = await service.see(SEEN)
        assert outage is not None
        assert back is not None
        assert (outage.guild.status, back.guild.status) == ("unavailable", "active")
        assert back.kind == "guild.updated"

    async def test_a_guild_that_is_not_known_stays_so(self) -> None:
        assert await service.suspend(SEEN.id) is None


@pytest.mark.usefixtures("database")
class TestLose:
    async def test_it_is_told_once(self) -> None:
        await service.see(SEEN)
        event = await service.lose(SEEN.id)
        assert event is not None
        assert (event.kind, event.guild.status) == ("guild.left", "left")
        assert event.guild.left_at is not None
        assert await service.lose(SEEN.id) is None


@pytest.mark.usefixtures("database")
class TestLoseAllBut:
    async def test_only_the_own_shards_guilds_can_be_missing(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.see(replace(SEEN, id=guild))
        # Of two shards, Seoul's is 0, the others' is 1.
        events = await service.lose_all_but({BEACON_HILL}, own={1}, shards=2)
        assert [event.guild.id for event in events] == [NIGHT_MARKET]


@pytest.mark.usefixtures("database")
class TestPage:
    async def test_guilds_that_were_left_are_not_listed(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.see(replace(SEEN, id=guild))
        await service.lose(BEACON_HILL)
        found = await service.page(after=0, limit=1)
        assert [guild.id for guild in found] == [SEOUL_DEVELOPERS]
        found = await service.page(after=SEOUL_DEVELOPERS, limit=5)
        assert [guild.id for guild in found] == [NIGHT_MARKET]

    async def test_they_are_found_by_their_ids(self) -> None:
        await service.see(SEEN)
        await service.lose(SEEN.id)
        assert [guild.status for guild in await service.find([SEEN.id, BEACON_HILL])] == ["left"]

    async def test_a_shard_counts_its_own(self) -> None:
        for guild in (BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET):
            await service.see(replace(SEEN, id=guild))
        assert (await service.count(0, 2), await service.count(1, 2)) == (1, 2)
