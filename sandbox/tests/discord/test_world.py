from pathlib import Path

from structlog.testing import capture_logs

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.users.personas import BEACON_HILL, SEOUL_DEVELOPERS
from bongsu_sandbox.discord.world import World, add_bot

BOT = Application(id=1, client_secret="s", bot_token="t").bot


class TestWorld:
    def test_saved_state_is_loaded_after_a_restart(self, tmp_path: Path) -> None:
        world = World(tmp_path / "state.json", BOT)
        add_bot(world.guilds[BEACON_HILL], BOT, permissions=8)
        world.save()
        guild = World(tmp_path / "state.json", BOT).guilds[BEACON_HILL]
        assert guild.permissions_of(BOT.id) & 8

    def test_unreadable_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "state.json").write_text('{"users": 1}')
        with capture_logs() as logs:
            world = World(tmp_path / "state.json", BOT)
        assert [entry["event"] for entry in logs] == ["discord.state_unreadable"]
        assert BOT.id in world.guilds[SEOUL_DEVELOPERS].members
