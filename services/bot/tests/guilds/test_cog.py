import asyncio

import pytest

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

    async def test_outage_is_reported_as_an_update(self, events: Events, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await events.next()
            await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "unavailable")
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
    async def test_login_reports_what_happened_while_the_bot_was_stopped(
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
            assert await events.next() == ("guild.updated", SEOUL_DEVELOPERS, "unavailable")


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
