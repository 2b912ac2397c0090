from functools import partial

from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import GuildHistory, GuildHistoryRequest
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually


async def test_uses_of_commands_are_recorded_with_their_outcome(
    broker: MemoryBroker, start_bot: StartBot, discord: Discord
) -> None:
    async def history() -> GuildHistory:
        return await ask(broker, GuildHistoryRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=30)

    async def are_recorded(count: int) -> bool:
        return len((await history()).commands) == count

    async with start_bot():
        # Each is recorded after its answer, so two together may be recorded in either order.
        for count, command in enumerate(("ping", "stats"), start=1):
            await discord.give(command)
            await eventually(partial(are_recorded, count), 60)
        found = await history()
    assert [use.command for use in found.commands] == ["stats", "ping"]
    assert found.commands[1].outcome == "done"
    assert found.commands[0].outcome != "done"
    assert [change.kind for change in found.changes] == ["added"]
