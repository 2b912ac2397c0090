"""The limit of requests to Discord, shared by two processes of the bot."""

import asyncio
import logging
from functools import partial

import pytest
from discord import NotFound
from discord.http import HTTPClient

from bongsu_bot.request_rate import RequestRate
from bongsu_bot.rest import RestClient
from bongsu_bot.settings import BotSettings
from services.bot.tests.conftest import StartBot, two_processes
from services.bot.tests.discord import Discord
from tests.eventually import eventually

REQUESTS = 60


async def test_two_processes_together_keep_to_the_limit_of_discord(
    settings: BotSettings, discord: Discord, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "discord.http")
    async with (
        RestClient(settings, RequestRate(lambda: 2)) as first,
        RestClient(settings, RequestRate(lambda: 2)) as second,
    ):
        # Each route has a lock of its own in py-cord: requests to one would wait for each other anyhow.
        calls = [
            client.call(partial(HTTPClient.get_guild, guild_id=guild_id))
            for client in (first, second)
            for guild_id in range(1, REQUESTS + 1)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotFound}
    assert (await discord.state())["rest"]["GET /guilds/{guild_id}"] == 2 * REQUESTS
    assert [record.getMessage() for record in caplog.records if "rate limit" in record.getMessage().lower()] == []


async def test_processes_are_counted_while_they_run(start_bot: StartBot) -> None:
    async with two_processes(start_bot) as both:
        await eventually(lambda: all(one._leases.processes == 2 for one in both))
    async with start_bot(shards=2) as alone:
        await eventually(lambda: alone._leases.processes == 1)
