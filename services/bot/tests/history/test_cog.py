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

    async with start_bot():
        await discord.give("ping")
        await discord.give("stats")

        async def are_recorded() -> bool:
            return len((await history()).commands) == 2

        await eventually(are_recorded, 60)
        found = await history()
    assert [use.command for use in found.commands] == ["stats", "ping"]
    assert found.commands[1].outcome == "done"
    assert found.commands[0].outcome != "done"
    assert [change.kind for change in found.changes] == ["added"]
