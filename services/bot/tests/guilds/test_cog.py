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


class Heard:
    """The events that were broadcast."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[GuildEvent] = asyncio.Queue()

    async def hear(self, message: Message) -> None:
        self._events.put_nowait(GUILD_EVENT.validate_python(message.body))

    async def next(self) -> tuple[str, int, str]:
        """Kind, guild and status of the next one."""
        async with asyncio.timeout(60):
            event = await self._events.get()
        return event.kind, event.guild.id, event.guild.status


@pytest.fixture
async def heard(broker: MemoryBroker) -> Heard:
    heard = Heard()
    await broker.subscribe(GUILD_EVENTS, heard.hear)
    return heard


class TestEvents:
    async def test_the_guilds_of_the_first_login_were_joined(self, heard: Heard, start_bot: StartBot) -> None:
        async with start_bot():
            assert await heard.next() == ("guild.joined", SEOUL_DEVELOPERS, "active")

    async def test_joining_and_leaving_are_told_as_they_happen(
        self, heard: Heard, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await heard.next()
            await discord.guild(BEACON_HILL, bot=True)
            assert await heard.next() == ("guild.joined", BEACON_HILL, "active")
            await discord.guild(BEACON_HILL, bot=False)
            assert await heard.next() == ("guild.left", BEACON_HILL, "left")

    async def test_an_outage_is_no_departure(self, heard: Heard, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await heard.next()
            await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
            assert await heard.next() == ("guild.updated", SEOUL_DEVELOPERS, "unavailable")
            await discord.guild(SEOUL_DEVELOPERS, unavailable=False)
            assert await heard.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")

    async def test_another_name_is_told(self, heard: Heard, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await heard.next()
            await discord.guild(SEOUL_DEVELOPERS, name="<img onerror=1>")
            assert await heard.next() == ("guild.updated", SEOUL_DEVELOPERS, "active")
            assert (await Guild.get(SEOUL_DEVELOPERS)).name == "<img onerror=1>"


class TestLogin:
    async def test_what_happened_while_the_bot_was_away_is_made_up_for(
        self, heard: Heard, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await heard.next()
        await discord.guild(SEOUL_DEVELOPERS, bot=False)
        await discord.guild(BEACON_HILL, bot=True)
        async with start_bot():
            told = {await heard.next(), await heard.next()}
        assert told == {("guild.left", SEOUL_DEVELOPERS, "left"), ("guild.joined", BEACON_HILL, "active")}

    async def test_a_guild_that_was_left_between_two_sessions_is_left(
        self, heard: Heard, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await heard.next()
            await discord.fault("discord", "unavailable", detail={"route": "/gateway", "times": "1"})
            await discord.drop("invalid_session")
            await discord.guild(SEOUL_DEVELOPERS, bot=False)
            assert await heard.next() == ("guild.left", SEOUL_DEVELOPERS, "left")

    async def test_an_outage_at_the_login_is_seen(self, heard: Heard, start_bot: StartBot, discord: Discord) -> None:
        async with start_bot():
            await heard.next()
        await discord.guild(SEOUL_DEVELOPERS, unavailable=True)
        async with start_bot():
            assert await heard.next() == ("guild.updated", SEOUL_DEVELOPERS, "unavailable")


class TestDatabaseDown:
    async def test_changes_wait_for_the_database(
        self,
        heard: Heard,
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
            await heard.next()
            monkeypatch.setattr(database, "run", run)
            await discord.guild(BEACON_HILL, bot=True)
            await broken.wait()
            monkeypatch.setattr(database, "run", whole)
            assert await heard.next() == ("guild.joined", BEACON_HILL, "active")
