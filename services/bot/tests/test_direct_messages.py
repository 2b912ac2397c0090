"""Commands in the direct messages with the bot: no server, and a user instead of a member."""

from typing import Any

import pytest

from bongsu_bot.commands.sync import sync
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import JAMES, MINJI, SEOUL_DEVELOPERS, Discord
from services.bot.tests.pages.test_replies import FIRST, SECOND, page

IN_GUILD, IN_DIRECT_MESSAGES = 0, 1


async def run(discord: Discord, command: str, *, user: int = JAMES, **options: str) -> dict[str, Any]:
    """Run a command in the direct messages of the user and the bot, and return the settled interaction."""
    answered = await discord.give(command, user_id=str(user), guild_id=None, unregistered=True, options=options)
    assert (answered["status"], answered["guild_id"]) == ("answered", None)
    assert answered["ephemeral"]
    return answered


class TestContexts:
    async def test_command_about_a_server_is_registered_for_servers_only(
        self, discord: Discord, settings: BotSettings
    ) -> None:
        await sync(settings)
        commands = {one["name"]: one for one in (await discord.state())["commands"]}
        assert commands["notify"]["contexts"] == [IN_GUILD]
        others = [sorted(one["contexts"]) for name, one in commands.items() if name != "notify"]
        assert {*map(tuple, others)} == {(IN_GUILD, IN_DIRECT_MESSAGES)}
        # The bot is added to servers, never to accounts.
        assert [one["integration_types"] for one in commands.values()] == [[0]] * len(commands)


@pytest.mark.usefixtures("bot")
class TestAnswered:
    @pytest.mark.parametrize(("user", "title"), [(JAMES, "Bongsu help"), (MINJI, "봉수 도움말")])
    async def test_help_is_shown(self, discord: Discord, user: int, title: str) -> None:
        (answer,) = (await run(discord, "help", user=user))["answers"]
        assert answer["embeds"][0]["title"] == title

    async def test_ping_is_answered(self, discord: Discord) -> None:
        assert await run(discord, "ping")

    async def test_link_leads_to_the_account(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.role = None
        assert "isn't linked yet" in str((await run(discord, "link"))["answers"])

    async def test_list_is_paged_with_the_authority_of_the_user(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["GET /auth/users"] = [page(FIRST, FIRST), page(SECOND, None)]
        answered = await run(discord, "users find", address="jiwoo")
        assert FIRST in str(answered["answers"])
        turned = await discord.press(answered, "Next")
        assert (turned["guild_id"], turned["status"]) == (None, "answered")
        assert SECOND in str(turned["answers"])
        assert [one.headers["authorization"] for one in api_server.requests] == [f"Bearer token of {JAMES}"] * 2

    async def test_user_without_the_role_is_refused(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.role = "user"
        assert "Your role doesn't allow this command" in str((await run(discord, "users find", address="x"))["answers"])


@pytest.mark.usefixtures("bot")
class TestRefused:
    @pytest.mark.parametrize(("user", "reply"), [(JAMES, "Use this command in a server"), (MINJI, "서버 안에서")])
    @pytest.mark.parametrize("command", ["notify subscribe", "notify unsubscribe", "notify list"])
    async def test_command_about_a_server_says_so_when_a_client_sends_it_all_the_same(
        self, discord: Discord, api_server: ApiServer, command: str, user: int, reply: str
    ) -> None:
        options = {} if command.endswith("list") else {"topic": "news"}
        assert reply in str((await run(discord, command, user=user, **options))["answers"])
        assert api_server.requests == []


class TestShards:
    async def test_command_is_answered_once_by_the_process_of_the_first_shard(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        async with start_bot(shards=2) as runner:
            assert isinstance(runner, Runner)
            assert len((await run(discord, "ping"))["answers"]) == 1
            in_guild = await discord.give("ping", guild_id=str(SEOUL_DEVELOPERS), unregistered=True)
            assert len(in_guild["answers"]) == 1
