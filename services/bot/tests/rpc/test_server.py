import pytest
from pydantic import SecretStr

from bongsu.broker import Message, RpcError, Unroutable
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.queues import BOT_RPC, bot_rpc_shard
from bongsu.contracts.rpc import GuildCountRequest, GuildListRequest
from bongsu.identity.vault import Vault
from services.bot.tests.actors import make_actor
from services.bot.tests.conftest import StartBot, becomes, hold, two_processes
from services.bot.tests.discord import BEACON_HILL, MINJI, NIGHT_MARKET, SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually

DEADLINE_S = 30.0


async def listed(broker: MemoryBroker, count: int) -> None:
    """Wait until the bot has stored so many guilds."""

    async def are_listed() -> bool:
        return len((await ask(broker, GuildListRequest(), deadline_s=DEADLINE_S)).guilds) >= count

    await eventually(are_listed)


class TestGuildCount:
    async def test_guild_count_asks_every_shard(
        self, discord: Discord, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        await discord.guild(BEACON_HILL, bot=True)
        async with start_bot(shards=2):
            await discord.until("rest", "GET /users/@me/guilds", reaches=1)
            answer = await ask(broker, GuildCountRequest(), deadline_s=DEADLINE_S)
            assert (answer.shards_answered, answer.shards) == (2, 2)

    async def test_guild_count_reports_a_shard_that_is_away(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        await hold(1)
        async with start_bot(shards=2):
            answer = await ask(broker, GuildCountRequest(), deadline_s=DEADLINE_S)
            assert (answer.shards_answered, answer.shards) == (1, 2)

    async def test_guild_count_adds_the_counts_of_two_processes(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with two_processes(start_bot):
            await listed(broker, 1)
            answer = await ask(broker, GuildCountRequest(), deadline_s=DEADLINE_S)
            assert (answer.guilds, answer.shards_answered, answer.shards) == (1, 2, 2)

    async def test_guild_count_reports_no_shard_when_the_bot_is_not_logged_in(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with start_bot(until_ready=False, token=SecretStr("wrong")) as runner:
            await becomes(runner, "refused")
            answer = await ask(broker, GuildCountRequest(), deadline_s=DEADLINE_S)
            assert (answer.shards_answered, answer.shards) == (0, 1)

    async def test_guild_count_fails_without_waiting_when_no_bot_runs(self, broker: MemoryBroker) -> None:
        with pytest.raises(Unroutable):
            await ask(broker, GuildCountRequest(), deadline_s=DEADLINE_S)


class TestGuildList:
    async def test_guild_list_continues_after_the_last_guild_of_a_page(
        self, discord: Discord, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        for guild in (BEACON_HILL, NIGHT_MARKET):
            await discord.guild(guild, bot=True)
        async with start_bot() as runner:
            assert runner.ready
            await listed(broker, 3)
            first = await ask(broker, GuildListRequest(limit=2), deadline_s=DEADLINE_S)
            rest = await ask(broker, GuildListRequest(limit=2, after=first.next), deadline_s=DEADLINE_S)
        assert [guild.id for guild in (*first.guilds, *rest.guilds)] == [BEACON_HILL, SEOUL_DEVELOPERS, NIGHT_MARKET]
        assert rest.next is None

    async def test_guild_list_is_answered_while_discord_is_away(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with start_bot():
            await listed(broker, 1)
        async with start_bot(until_ready=False, token=SecretStr("wrong")):
            answer = await ask(broker, GuildListRequest(ids=(SEOUL_DEVELOPERS, 1)), deadline_s=DEADLINE_S)
        assert [(guild.name, guild.status) for guild in answer.guilds] == [("서울 개발자 모임", "unavailable")]

    async def test_guild_list_reports_a_guild_as_unavailable_while_its_shard_is_disconnected(
        self, discord: Discord, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with two_processes(start_bot) as (_, other):
            await discord.guild(BEACON_HILL, bot=True)
            await listed(broker, 2)
            await discord.fault("gateway", "hang")
            await discord.drop("reset", shard_id=1)
            await eventually(lambda: not other.ready)
            answer = await ask(broker, GuildListRequest(), deadline_s=DEADLINE_S)
            await discord.sandbox.clear_faults()  # the end of the bot waits for the gateway
        # Of two shards, Seoul's is 0.
        assert {guild.id: guild.status for guild in answer.guilds} == {
            SEOUL_DEVELOPERS: "active",
            BEACON_HILL: "unavailable",
        }


class TestRouting:
    async def test_a_command_is_forwarded_to_the_shard_of_its_guild(
        self, broker: MemoryBroker, start_bot: StartBot, discord: Discord, vault: Vault
    ) -> None:
        async with two_processes(start_bot):
            actor = await make_actor(vault, MINJI)
            for number in range(2):
                await discord.guild(SEOUL_DEVELOPERS, bot=True)
                request = await actor.leave(SEOUL_DEVELOPERS, key=f"key-000{number}")
                answer = await ask(broker, request, deadline_s=DEADLINE_S)
                assert answer.guild_id == SEOUL_DEVELOPERS

    async def test_a_command_fails_when_no_process_runs_the_shard(
        self, broker: MemoryBroker, start_bot: StartBot, vault: Vault
    ) -> None:
        await hold(0)
        async with start_bot(shards=2):
            actor = await make_actor(vault, MINJI)
            with pytest.raises(RpcError, match="shard_unavailable"):
                await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)

    async def test_a_command_fails_when_it_was_sent_to_the_wrong_shard(
        self, broker: MemoryBroker, start_bot: StartBot, vault: Vault
    ) -> None:
        await hold(0)
        async with start_bot(shards=2):
            actor = await make_actor(vault, MINJI)
            request = await actor.leave(SEOUL_DEVELOPERS)
            with pytest.raises(RpcError, match="shard_unavailable"):
                await ask(broker, request, deadline_s=DEADLINE_S, queue=bot_rpc_shard(1))


@pytest.mark.usefixtures("bot")
class TestReading:
    @pytest.mark.parametrize("body", [{}, {"method": "eval", "code": "1"}, {"method": "guild_leave_all"}])
    async def test_an_unknown_method_is_refused(self, body: dict[str, str], broker: MemoryBroker) -> None:
        with pytest.raises(RpcError, match="unknown_method"):
            await broker.call(BOT_RPC, Message(body={**body}), deadline_s=DEADLINE_S)

    @pytest.mark.parametrize("field", [{"guild_id": "x"}, {"assertion": None}, {"idempotency_key": ""}, {"version": 2}])
    async def test_an_invalid_field_is_named(self, field: dict[str, str | int | None], broker: MemoryBroker) -> None:
        body = {"method": "guild_leave", "guild_id": "1", "assertion": "a", "idempotency_key": "key-0001", **field}
        with pytest.raises(RpcError, match=next(iter(field))) as caught:
            await broker.call(BOT_RPC, Message(body={**body}), deadline_s=DEADLINE_S)
        assert caught.value.code == "invalid_request"
