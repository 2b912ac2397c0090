from collections.abc import Awaitable, Callable

from pydantic import SecretStr

from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import BotStatus, ShardStatusRequest
from services.bot.tests.conftest import StartBot, becomes, hold, two_processes
from services.bot.tests.discord import Discord
from tests.eventually import eventually

DEADLINE_S = 30.0


async def status(broker: MemoryBroker, shard: int | None = None) -> BotStatus:
    return await ask(broker, ShardStatusRequest(shard=shard), deadline_s=DEADLINE_S)


def states(answer: BotStatus) -> list[tuple[int, str]]:
    return [(one.shard, one.state) for one in answer.shards]


def shows(broker: MemoryBroker, state: str) -> Callable[[], Awaitable[bool]]:
    async def is_shown() -> bool:
        return (await status(broker)).shards[0].state == state

    return is_shown


class TestShardStatus:
    async def test_a_connected_shard_has_its_guilds_and_the_time_of_its_connection(
        self, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async def has_guilds() -> bool:
            return (await status(broker)).shards[0].guilds == 1

        async with start_bot():
            await eventually(has_guilds)
            answer = await status(broker)
            uncounted = await ask(broker, ShardStatusRequest(counted=False), deadline_s=DEADLINE_S)
        assert uncounted.shards[0].guilds is None
        (shard,) = answer.shards
        assert (shard.shard, shard.state) == (0, "connected")
        assert shard.since is not None
        assert shard.since <= answer.at

    async def test_a_shard_whose_gateway_is_down_connects_again(
        self, discord: Discord, broker: MemoryBroker, start_bot: StartBot
    ) -> None:
        async with start_bot():
            before = (await status(broker)).shards[0].since
            await discord.fault("gateway", "hang")
            await discord.drop("reset")
            await eventually(shows(broker, "connecting"))
            cut_off = (await status(broker)).shards[0].since
            assert before is not None
            assert cut_off is not None
            assert before < cut_off
            assert (await status(broker)).shards[0].since == cut_off
            await discord.sandbox.clear_faults()
            await eventually(shows(broker, "connected"))

    async def test_each_process_answers_for_its_own_shard(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        async with two_processes(start_bot):
            assert states(await status(broker)) == [(0, "connected"), (1, "connected")]
            assert states(await status(broker, shard=1)) == [(1, "connected")]

    async def test_a_shard_that_no_process_runs_is_unreachable(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        await hold(1)
        async with start_bot(shards=2):
            assert states(await status(broker)) == [(0, "connected"), (1, "unreachable")]

    async def test_a_refused_bot_says_so(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        async with start_bot(until_ready=False, token=SecretStr("wrong")) as runner:
            await becomes(runner, "refused")
            assert states(await status(broker)) == [(0, "refused")]
