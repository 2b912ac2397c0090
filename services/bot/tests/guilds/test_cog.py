import asyncio
from typing import Any

import pytest
from discord.http import HTTPClient

from bongsu.broker import Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.guilds import GUILD_EVENT, GuildEvent
from bongsu.contracts.queues import GUILD_EVENTS
from bongsu.mixins import Database
from bongsu_bot.guilds.models import Guild
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import BEACON_HILL, SEOUL_DEVELOPERS, Discord


class Events:
    """The broadcast events."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[GuildEvent] = asyncio.Queue()

    async def hear(self, message: Message) -> None:
        self._events.put_nowait(GUILD_EVENT.validate_python(message.body))

    async def next(self) -> tuple[str, int, str]:
        """Return kind, guild and status of the next event."""
        async with asyncio.timeout(60):
            event = await self._events.get()
        return event.kind, event.guild.id, event.guild.status


@pytest.fixture
async def events(broker: MemoryBroker) -> Events:
    events = Events()
    await broker.subscribe(GUILD_EVENTS, events.hear)
    return events


class TestEvents:
    async def test_first_login_reports_a_join_for_each_guild(self, events: Events, start_bot: StartBot) -> None:
        async with start_bot():
            assert await events.next() == ("guild.joined", SEOUL_DEVELOPERS, "active")

    async def test_join_and_leave_are_reported(self, events: Events, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await events.next()
            await discord.guild(BEACON_HILL, bot=True)
            assert await events.next() == ("guild.joined", BEACON_HILL, "active")
            await discord.guild(BEACON_HILL, bot=False)
            assert await events.next() == ("guild.left", BEACON_HILL, "left")

    async def test_deleted_guild_is_reported_as_left(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
            await discord.delete_guild(SEOUL_DEVELOPERS)
            assert await events.next() == ("guild.left", SEOUL_DEVELOPERS, "left")

    async def test_guild_that_is_joined_in_an_outage_is_reported_when_it_is_available(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
            await discord.guild(BEACON_HILL, unavailable=True)
            await discord.guild(BEACON_HILL, bot=True)
            await discord.guild(BEACON_HILL, unavailable=False)
            assert await events.next() == ("guild.joined", BEACON_HILL, "active")

    async def test_outage_and_its_end_are_reported(self, events: Events, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await events.next()
            await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
            assert await events.next() == ("guild.unavailable", SEOUL_DEVELOPERS, "unavailable")
            await discord.guild(SEOUL_DEVELOPERS, unavailable=False)
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")

    async def test_new_name_is_reported_as_an_update(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
            await discord.guild(SEOUL_DEVELOPERS, name="<img onerror=1>")
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")
            assert (await Guild.get(SEOUL_DEVELOPERS)).name == "<img onerror=1>"


class TestLogin:
    async def test_login_reports_changes_made_while_the_bot_was_stopped(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
        await discord.guild(SEOUL_DEVELOPERS, bot=False)
        await discord.guild(BEACON_HILL, bot=True)
        async with start_bot():
            reported = {await events.next(), await events.next()}
        assert reported == {("guild.left", SEOUL_DEVELOPERS, "left"), ("guild.joined", BEACON_HILL, "active")}

    async def test_new_session_reports_a_guild_that_the_bot_left_meanwhile(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
            await discord.fault("discord", "unavailable", detail={"route": "/gateway", "times": "1"})
            await discord.drop("invalid_session")
            await discord.guild(SEOUL_DEVELOPERS, bot=False)
            assert await events.next() == ("guild.left", SEOUL_DEVELOPERS, "left")

    async def test_login_reports_an_outage(self, events: Events, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await events.next()
        await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
        async with start_bot():
            assert await events.next() == ("guild.unavailable", SEOUL_DEVELOPERS, "unavailable")

    async def test_login_reports_an_outage_of_a_guild_that_is_not_stored(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
        async with start_bot():
            assert await events.next() == ("guild.joined", SEOUL_DEVELOPERS, "unavailable")
            assert (await Guild.get(SEOUL_DEVELOPERS)).name == "서울 개발자 모임"

    async def test_list_is_retried_when_discord_fails(
        self, events: Events, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await events.next()
        await discord.guild(SEOUL_DEVELOPERS, bot=False)
        await discord.fault("discord", "reset", detail={"route": "/users/@me/guilds", "times": "2"})
        async with start_bot():
            assert await events.next() == ("guild.left", SEOUL_DEVELOPERS, "left")

    async def test_guild_that_joins_while_the_list_is_loading_stays_joined(
        self, events: Events, start_bot: StartBot, discord: Discord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed, joined, returned = asyncio.Event(), asyncio.Event(), asyncio.Event()
        get_guilds = HTTPClient.get_guilds

        async def get_guilds_slowly(http: HTTPClient, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
            page = await get_guilds(http, *args, **kwargs)
            listed.set()
            await joined.wait()
            returned.set()
            return page

        monkeypatch.setattr(HTTPClient, "get_guilds", get_guilds_slowly)
        async with start_bot():
            await events.next()
            await listed.wait()
            await discord.guild(BEACON_HILL, bot=True)
            assert await events.next() == ("guild.joined", BEACON_HILL, "active")
            joined.set()
            await returned.wait()
            await discord.guild(SEOUL_DEVELOPERS, name="The list is stored before this name")
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")
            assert (await Guild.get(BEACON_HILL)).status == "active"

    async def test_guild_that_removes_the_bot_while_the_list_is_loading_stays_left(
        self, events: Events, start_bot: StartBot, discord: Discord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await discord.guild(BEACON_HILL, bot=True)
        listed, left, returned = asyncio.Event(), asyncio.Event(), asyncio.Event()
        get_guilds = HTTPClient.get_guilds

        async def get_guilds_slowly(http: HTTPClient, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
            page = await get_guilds(http, *args, **kwargs)
            listed.set()
            await left.wait()
            returned.set()
            return page

        monkeypatch.setattr(HTTPClient, "get_guilds", get_guilds_slowly)
        async with start_bot():
            await events.next()
            await events.next()
            await listed.wait()
            await discord.guild(BEACON_HILL, bot=False)
            assert await events.next() == ("guild.left", BEACON_HILL, "left")
            left.set()
            await returned.wait()
            await discord.guild(SEOUL_DEVELOPERS, name="The list is stored before this name")
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")
            assert (await Guild.get(BEACON_HILL)).status == "left"

    async def test_new_session_reads_the_member_counts(
        self, events: Events, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        get_guilds = HTTPClient.get_guilds

        async def count_another_member(http: HTTPClient, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
            page = await get_guilds(http, *args, **kwargs)
            return [{**guild, "approximate_member_count": 4321} for guild in page]

        monkeypatch.setattr(HTTPClient, "get_guilds", count_another_member)
        async with start_bot():
            assert (await events.next())[0] == "guild.joined"
            assert (await events.next())[0] == "guild.updated"
            assert (await Guild.get(SEOUL_DEVELOPERS)).member_count == 4321


class TestDatabaseDown:
    async def test_changes_are_retried_while_the_database_is_down(
        self,
        events: Events,
        start_bot: StartBot,
        discord: Discord,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        whole = database.run
        broken = asyncio.Event()

        async def run(*_args: object, **_kwargs: object) -> None:
            broken.set()
            raise ConnectionError("gone")

        async with start_bot():
            await events.next()
            monkeypatch.setattr(database, "run", run)
            await discord.guild(BEACON_HILL, bot=True)
            await broken.wait()
            monkeypatch.setattr(database, "run", whole)
            assert await events.next() == ("guild.joined", BEACON_HILL, "active")
