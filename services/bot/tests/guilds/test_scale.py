"""A bot in 1,000 guilds. The limits are of processor time, which does not depend on other processes."""

import resource
import time
from pathlib import Path

import pytest

from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import GUILDS_PAGE, GuildCountRequest, GuildListRequest
from bongsu_bot.guilds.models import Guild
from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.users.personas import BEACON_HILL
from bongsu_sandbox.discord.world import World, add_bot
from bongsu_sandbox.settings import SandboxSettings
from services.bot.tests.conftest import StartBot, becomes
from tests.eventually import eventually

GUILDS = 1000
READY_CPU_S, LIST_CPU_S, GROWN_MB = 10.0, 0.2, 200
"""Measured: ready in 0.7 s, a page in 16 ms, 22 MB."""
PATIENCE_S = 200.0


@pytest.fixture
def sandbox_settings(tmp_path: Path) -> SandboxSettings:
    """Discord with so many guilds of the bot."""
    settings = SandboxSettings(data_dir=tmp_path / "sandbox", discord_answer_s=60.0)
    application = Application(settings.discord_application_id, "", "")
    world = World(settings.data_dir / "discord" / "state.json", application.bot)
    pattern = world.guilds[BEACON_HILL]
    world.guilds.clear()
    for number in range(GUILDS):
        guild = pattern.model_copy(deep=True, update={"id": BEACON_HILL + (number << 22), "name": f"Guild {number}"})
        guild.roles = {guild.id: pattern.roles[pattern.id].model_copy(update={"id": guild.id})}
        guild.members = {guild.owner_id: pattern.members[guild.owner_id].model_copy(update={"roles": []})}
        guild.channels = {
            guild.id + 1 + place: channel.model_copy(update={"id": guild.id + 1 + place, "guild_id": guild.id})
            for place, channel in enumerate(pattern.channels.values())
        }
        add_bot(guild, application.bot, permissions=0)
        world.guilds[guild.id] = guild
    world.save()
    return settings


def resident_bytes() -> int:
    """Memory of this process, which runs the bot and the stand-in for Discord."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class TestThousandGuilds:
    @pytest.mark.timeout(900)
    async def test_bot_is_ready_and_lists_its_guilds_in_time(self, broker: MemoryBroker, start_bot: StartBot) -> None:
        before_bytes = resident_bytes()
        began_s = time.process_time()
        async with start_bot(ready_timeout_s=PATIENCE_S, until_ready=False) as runner:
            await becomes(runner, "ready", within_s=PATIENCE_S)
            ready_s = time.process_time() - began_s

            stored = 0

            async def more_are_stored() -> bool:
                return await Guild.filter_by(status="active").count() > stored

            while stored < GUILDS:  # however slow the disk is
                await eventually(more_are_stored)
                stored = await Guild.filter_by(status="active").count()
            asked_s = time.process_time()
            page = await ask(broker, GuildListRequest(), deadline_s=30)
            list_s = time.process_time() - asked_s
            count = await ask(broker, GuildCountRequest(), deadline_s=30)
            grown_mb = (resident_bytes() - before_bytes) / 2**20
        assert (len(page.guilds), page.next is not None, count.guilds) == (GUILDS_PAGE, True, GUILDS)
        assert ready_s < READY_CPU_S
        assert list_s < LIST_CPU_S
        assert grown_mb < GROWN_MB
        print(f"ready in {ready_s:.1f} s, a page in {list_s * 1000:.0f} ms, {grown_mb:.0f} MB more")  # noqa: T201 - the report
