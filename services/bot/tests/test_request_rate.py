"""The limit of requests to Discord, shared by two processes of the bot."""

import asyncio
from functools import partial

from discord import NotFound
from discord.http import HTTPClient

from bongsu_bot.request_rate import REQUESTS_PER_S, RequestRate
from bongsu_bot.rest import RestClient
from bongsu_bot.settings import BotSettings
from services.bot.tests.conftest import StartBot, two_processes
from services.bot.tests.discord import Discord
from tests.eventually import eventually

REQUESTS = 60


class _Recording(RequestRate):
    """Records when requests start: a busy machine may delay their arrival at Discord."""

    def __init__(self, starts: list[float]) -> None:
        super().__init__(lambda: 2)
        self._starts = starts

    async def wait(self) -> None:
        await super().wait()
        self._starts.append(asyncio.get_running_loop().time())


async def test_two_processes_together_keep_to_the_limit_of_discord(settings: BotSettings, discord: Discord) -> None:
    # Requests that a busy machine delays may arrive together, and would be refused.
    await discord.limits(total=1000)
    starts = list[float]()
    async with (
        RestClient(settings, _Recording(starts)) as first,
        RestClient(settings, _Recording(starts)) as second,
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
    assert len(starts) == 2 * (1 + REQUESTS)  # each client logs in
    in_a_second = [sum(begin <= start < begin + 0.99 for start in starts) for begin in starts]
    assert max(in_a_second) <= REQUESTS_PER_S


async def test_processes_are_counted_while_they_run(start_bot: StartBot) -> None:
    async with two_processes(start_bot) as both:
        await eventually(lambda: all(one._leases.processes == 2 for one in both))
    async with start_bot(shards=2) as alone:
        await eventually(lambda: alone._leases.processes == 1)
