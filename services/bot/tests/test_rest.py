"""The REST client, against the sandbox's Discord."""

import asyncio

import pytest

from bongsu_bot.guilds.rest import RestGuildDirectory
from bongsu_bot.request_rate import RequestRate
from bongsu_bot.rest import RestClient
from bongsu_bot.settings import BotSettings
from services.bot.tests.discord import SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually


class TestCall:
    async def test_requests_go_on_when_one_is_cancelled_while_it_waits_for_the_global_limit(
        self, settings: BotSettings, discord: Discord
    ) -> None:
        async with RestClient(settings, RequestRate(lambda: 1)) as rest:
            directory = RestGuildDirectory(rest)
            await directory.get_permissions(SEOUL_DEVELOPERS)
            detail = {"route": f"/guilds/{SEOUL_DEVELOPERS}", "retry_after": "2", "global": "true", "times": "1"}
            await discord.fault("discord", "throttle", detail=detail)
            waiting = asyncio.create_task(directory.get_permissions(SEOUL_DEVELOPERS))
            http = rest._http
            assert http is not None
            await eventually(lambda: not http._global_over.is_set())
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            async with asyncio.timeout(60):
                await directory.get_permissions(SEOUL_DEVELOPERS)
