import pytest

from bongsu.broker import RpcError
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.channels import ChannelListRequest
from bongsu.contracts.rpc import GuildDetail, GuildDetailRequest
from services.bot.tests.conftest import StartBot, two_processes
from services.bot.tests.discord import BEACON_HILL, SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually

DEADLINE_S = 30.0
VIEW, SEND, HISTORY = 1 << 10, 1 << 11, 1 << 16


async def detail_of(broker: MemoryBroker, guild_id: int = SEOUL_DEVELOPERS) -> GuildDetail:
    return await ask(broker, GuildDetailRequest(guild_id=guild_id), deadline_s=DEADLINE_S)


async def refusal(broker: MemoryBroker, guild_id: int) -> str:
    with pytest.raises(RpcError) as caught:
        await detail_of(broker, guild_id)
    return caught.value.code


class TestGetDetail:
    async def test_get_detail_lists_channels_and_no_missing_permission(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with start_bot():
            detail = await detail_of(broker)
        assert detail.missing == ()
        assert detail.channels
        assert all(channel.missing == () for channel in detail.channels)

    async def test_get_detail_names_missing_permissions_of_guild_and_channels(
        self, broker: MemoryBroker, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await discord.guild(SEOUL_DEVELOPERS, everyone=str(VIEW | SEND | HISTORY))

            async def is_missing() -> bool:
                return (await detail_of(broker)).missing == ("embed_links",)

            await eventually(is_missing, 60)
            assert {channel.missing for channel in (await detail_of(broker)).channels} == {("embed_links",)}

    async def test_get_detail_follows_another_approval_of_the_permissions(
        self, broker: MemoryBroker, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await discord.guild(SEOUL_DEVELOPERS, everyone=str(VIEW))

            async def is_missing() -> bool:
                return "send_messages" in (await detail_of(broker)).missing

            await eventually(is_missing, 60)
            await discord.approve(SEOUL_DEVELOPERS, permissions=VIEW | SEND)

            async def is_granted() -> bool:
                return "send_messages" not in (await detail_of(broker)).missing

            await eventually(is_granted, 60)

    async def test_get_detail_fails_when_the_bot_is_not_in_the_guild(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with start_bot():
            assert await refusal(broker, BEACON_HILL) == "guild_not_found"

    async def test_get_detail_fails_during_an_outage(
        self, broker: MemoryBroker, start_bot: StartBot, discord: Discord
    ) -> None:
        async with start_bot():
            await discord.guild(SEOUL_DEVELOPERS, unavailable=True)

            async def is_refused() -> bool:
                try:
                    await detail_of(broker)
                except RpcError as error:
                    return error.code == "shard_unavailable"
                return False

            await eventually(is_refused, 60)

    async def test_get_detail_is_answered_by_the_process_of_the_shard(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with two_processes(start_bot):
            assert (await detail_of(broker)).guild_id == SEOUL_DEVELOPERS


class TestListChannels:
    async def test_channels_are_those_of_the_detail(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        async with start_bot():
            listed = await ask(broker, ChannelListRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
            assert listed.channels == (await detail_of(broker)).channels
        assert SEOUL_DEVELOPERS + 11 in [channel.id for channel in listed.channels]

    async def test_guild_without_the_bot_is_not_found(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        async with start_bot():
            with pytest.raises(RpcError, match="guild_not_found"):
                await ask(broker, ChannelListRequest(guild_id=BEACON_HILL), deadline_s=DEADLINE_S)
