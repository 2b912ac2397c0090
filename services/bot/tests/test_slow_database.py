"""The bot on a database that stops answering for a while: connections stay open, and no data arrives."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bongsu.broker import RpcTimeout
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import GuildListRequest, ShardStatusRequest
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_bot.guilds.models import Guild
from bongsu_bot.rpc.server import PREFETCH
from services.bot.tests.actors import make_actor
from services.bot.tests.api_server import ApiServer
from services.bot.tests.conftest import TABLES, StartBot, becomes
from services.bot.tests.discord import BEACON_HILL, JAMES, MINJI, SEOUL_DEVELOPERS, Discord
from services.bot.tests.pages.test_replies import FIRST, find, page
from shared.tests.broker.proxy import CuttableProxy
from tests.eventually import eventually
from tests.infrastructure.templates import WithTables

pytestmark = pytest.mark.mysql

DEADLINE_S = 1.0


@pytest.fixture
async def proxy(mysql_with_tables: WithTables) -> AsyncIterator[CuttableProxy]:
    proxy = CuttableProxy(mysql_with_tables(TABLES))
    await proxy.start()
    yield proxy
    await proxy.close()


@pytest.fixture
async def database(proxy: CuttableProxy) -> AsyncIterator[Database]:
    """The database through the proxy."""
    database = Database(proxy.url)
    yield database
    proxy.thaw()
    await database.dispose()


async def is_stored(guild_id: int) -> bool:
    return await Guild.filter_by(id=guild_id, status="active").count() == 1


class TestCommands:
    async def test_command_that_needs_no_database_is_answered(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy
    ) -> None:
        async with start_bot():
            proxy.freeze()
            answered = await discord.give("ping", unregistered=True)
            proxy.thaw()
        assert (answered["status"], len(answered["answers"])) == ("answered", 1)

    async def test_command_that_needs_the_database_is_deferred_and_says_that_the_service_is_unavailable(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /auth/users"] = page(FIRST, FIRST)
        async with start_bot():
            proxy.freeze()
            answered = await find(discord)
            proxy.thaw()
            assert answered["deferred"]
            assert "The service isn't available" in str(answered["answers"])
            again = await find(discord)
            assert FIRST in str(again["answers"])

    async def test_button_says_that_the_service_is_unavailable_and_works_afterwards(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /auth/users"] = page(FIRST, FIRST)
        async with start_bot():
            answered = await find(discord)
            proxy.freeze()
            pressed = await discord.press(answered, "Next")
            proxy.thaw()
            assert "The service isn't available" in str(pressed["answers"])
            assert FIRST in str((await discord.press(answered, "Next"))["answers"])


class TestGateway:
    async def test_heartbeats_go_on_and_the_session_stays(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy
    ) -> None:
        await discord.gateway(heartbeat_ms=1000)  # a busy machine still answers in that time
        async with start_bot() as runner:
            proxy.freeze()
            before = (await discord.state())["gateway"]
            await discord.until("gateway", "heartbeats", reaches=before["heartbeats"] + 3)
            after = (await discord.state())["gateway"]
            proxy.thaw()
            await becomes(runner, "ready")
        assert (after["identifies"], after["resumes"]) == (before["identifies"], before["resumes"])

    async def test_event_is_stored_afterwards(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy
    ) -> None:
        async with start_bot():
            await eventually(lambda: is_stored(SEOUL_DEVELOPERS))
            proxy.freeze()
            await discord.guild(BEACON_HILL, bot=True)
            # The bot handles this command after the event.
            await discord.give("ping", unregistered=True)
            proxy.thaw()
            await eventually(lambda: is_stored(BEACON_HILL))


class TestRpc:
    async def test_requests_end_at_their_deadlines_and_hold_up_no_others(
        self, start_bot: StartBot, proxy: CuttableProxy, broker: MemoryBroker
    ) -> None:
        async with start_bot():
            proxy.freeze()
            asked: list[Any] = await asyncio.gather(
                *(ask(broker, GuildListRequest(), deadline_s=DEADLINE_S) for _ in range(2 * PREFETCH)),
                return_exceptions=True,
            )
            status = await ask(broker, ShardStatusRequest(counted=False), deadline_s=30)
            proxy.thaw()
            assert {type(one) for one in asked} == {RpcTimeout}
            assert [shard.state for shard in status.shards] == ["connected"]
            await ask(broker, GuildListRequest(), deadline_s=30)

    async def test_guild_is_not_left_after_the_deadline(
        self, discord: Discord, start_bot: StartBot, proxy: CuttableProxy, broker: MemoryBroker, vault: Vault
    ) -> None:
        async with start_bot():
            actor = await make_actor(vault, MINJI)
            request = await actor.leave(SEOUL_DEVELOPERS)
            proxy.freeze()
            with pytest.raises(RpcTimeout):
                await ask(broker, request, deadline_s=DEADLINE_S)
            proxy.thaw()
            # The bot handles this request after the one before.
            await ask(broker, GuildListRequest(), deadline_s=30)
            await discord.give("ping", user_id=str(JAMES), unregistered=True)
        state = await discord.state()
        assert state["leaves"] == 0
        assert state["rest"].get("DELETE /users/@me/guilds/{guild_id}", 0) == 0
