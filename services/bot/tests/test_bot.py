import asyncio

import discord as pycord
import pytest
from structlog.testing import capture_logs

from bongsu.runtime.errors import Conflict, Unavailable
from bongsu_bot.apis import Apis
from bongsu_bot.bot import BongsuBot
from bongsu_bot.shards.runner import Runner
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import JAMES, MINJI, Discord
from tests.eventually import eventually


def _bot_of(runner: Runner) -> BongsuBot:
    assert runner._bot is not None
    return runner._bot


class TestErrors:
    @pytest.fixture(autouse=True)
    def failing(self, monkeypatch: pytest.MonkeyPatch, bot: Runner, error: Exception) -> None:
        async def fail(_cog: object, context: pycord.ApplicationContext) -> None:
            await context.defer(ephemeral=True)
            raise error

        assert bot._bot is not None
        (ping,) = [command for command in bot._bot.pending_application_commands if command.name == "ping"]
        monkeypatch.setattr(ping, "callback", fail)

    @pytest.mark.parametrize("error", [RuntimeError("password=hunter2 at /srv/app.py")])
    async def test_an_unexpected_error_shows_an_id_and_logs_the_rest(self, discord: Discord) -> None:
        with capture_logs() as logs:
            answer = await discord.give("ping", user_id=str(MINJI), unregistered=True)
        (entry,) = [entry for entry in logs if entry["event"] == "command.failed"]
        (shown,) = answer["answers"]
        assert shown["ephemeral"]
        (embed,) = shown["embeds"]
        assert entry["error_id"] in embed["description"]
        assert "오류 번호" in embed["description"]
        assert "hunter2" not in str(answer)
        assert entry["error"] == "RuntimeError"

    @pytest.mark.parametrize("error", [Conflict("This server has that already")])
    async def test_an_expected_error_shows_its_detail(self, discord: Discord) -> None:
        answer = await discord.give("ping", unregistered=True)
        assert answer["answers"][0]["embeds"][0]["description"] == "This server has that already"

    @pytest.mark.parametrize("error", [Unavailable("db-7.internal is down")])
    async def test_an_outage_does_not_show_which_part_is_down(self, discord: Discord) -> None:
        answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert answer["answers"][0]["embeds"][0]["description"].startswith("The service isn't available")
        assert "internal" not in str(answer)


class TestUnknownCommand:
    @pytest.mark.usefixtures("bot")
    async def test_an_unknown_command_is_answered_privately(self, discord: Discord) -> None:
        answer = await discord.give("gone", unregistered=True)
        assert answer["status"] == "answered"
        assert answer["ephemeral"]


class TestFind:
    async def test_find_raises_when_the_bot_has_no_such_service(self, bot: Runner) -> None:
        assert bot._bot is not None
        with pytest.raises(LookupError, match="Runner"):
            bot._bot.find(Runner)


class TestClose:
    async def test_listener_that_runs_may_finish_before_the_connections_end(self, start_bot: StartBot) -> None:
        begun, goes_on, was_closed = asyncio.Event(), asyncio.Event(), list[bool]()

        async def listen() -> None:
            begun.set()
            await goes_on.wait()
            was_closed.append(bot.is_closed())

        async with start_bot() as runner:
            bot = _bot_of(runner)
            bot.add_listener(listen, "on_beacon")
            bot.dispatch("beacon")
            await begun.wait()
            asyncio.get_running_loop().call_soon(goes_on.set)
            await bot.close()
        assert was_closed == [False]

    async def test_listener_and_click_that_do_not_finish_are_ended(self, start_bot: StartBot) -> None:
        begun, ended = list[str](), list[str]()

        async def wait(name: str) -> None:
            begun.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        async def listen() -> None:
            await wait("listener")

        async with start_bot() as runner:
            bot = _bot_of(runner)
            bot.add_listener(listen, "on_beacon")
            bot.dispatch("beacon")
            click = asyncio.create_task(wait("click"), name="discord-ui-view-dispatch-1")
            await eventually(lambda: len(begun) == 2)
        assert sorted(ended) == ["click", "listener"]
        assert click.cancelled()

    async def test_command_that_does_not_finish_is_not_recorded_as_done(
        self, start_bot: StartBot, discord: Discord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, completed = asyncio.Event(), list[pycord.ApplicationContext]()

        async def hang(*_values: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        async def on_application_command_completion(context: pycord.ApplicationContext) -> None:
            completed.append(context)

        monkeypatch.setattr(Apis, "authorise", hang)
        async with start_bot() as runner:
            _bot_of(runner).add_listener(on_application_command_completion)
            await discord.give("users find", unregistered=True, wait_s=0, options={"address": "x"})
            await begun.wait()
        assert completed == []
