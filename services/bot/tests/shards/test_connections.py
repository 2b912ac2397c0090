"""What a bot leaves open when it stops."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.connector import Connection
from discord.gateway import DiscordWebSocket, KeepAliveHandler

from bongsu_bot.shards.budget import IdentifyBudget
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import Discord
from tests.eventually import eventually


def _heartbeats() -> list[KeepAliveHandler]:
    return [one for one in threading.enumerate() if isinstance(one, KeepAliveHandler)]


def _recording(create: Callable[..., None], opened: list[Any]) -> Callable[..., None]:
    def create_and_record(one: object, *args: object, **options: object) -> None:
        create(one, *args, **options)
        opened.append(one)

    return create_and_record


def _is_open(one: Connection | aiohttp.ClientSession) -> bool:
    # A `Connection` whose peer is gone calls itself closed, though aiohttp has not released it.
    return one.protocol is not None if isinstance(one, Connection) else not one.closed


@pytest.fixture(autouse=True)
async def all_closed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The garbage collector would find what is left open in any later test."""
    opened: list[Connection | aiohttp.ClientSession] = []
    for kind in (Connection, aiohttp.ClientSession):
        monkeypatch.setattr(kind, "__init__", _recording(kind.__init__, opened))
    yield
    await eventually(lambda: not [one for one in opened if _is_open(one)], what="all closed")


class TestGatewayConnections:
    async def test_connection_is_closed_when_the_bot_stops_before_hello(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        await discord.fault("gateway", "hang")
        async with start_bot(until_ready=False) as runner:

            def has_connected() -> bool:
                return runner._bot is not None and bool(runner._bot._connections._newest)

            await eventually(has_connected)
        await discord.sandbox.clear_faults()

    async def test_connection_and_heartbeats_end_when_the_bot_stops_before_its_identify(
        self, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_asked = asyncio.Event()

        async def claim(_budget: IdentifyBudget, *_values: object, **_options: object) -> None:
            has_asked.set()
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(IdentifyBudget, "claim", claim)
        async with start_bot(until_ready=False):
            await has_asked.wait()
            assert _heartbeats()
        await eventually(lambda: not _heartbeats())

    async def test_previous_connection_is_closed_when_its_shard_connects_a_second_time(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot() as runner:
            assert runner._bot is not None
            (first,) = runner._bot._connections._newest.values()
            await discord.drop("close")
            await discord.until("gateway", "resumes", reaches=1)
            assert first.socket._response.connection is None

    async def test_everything_is_closed_when_the_gateway_does_not_answer_the_close(
        self, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def close(_connection: DiscordWebSocket, code: int = 4000) -> None:
            del code
            await asyncio.get_running_loop().create_future()

        async with start_bot():
            monkeypatch.setattr(DiscordWebSocket, "close", close)
