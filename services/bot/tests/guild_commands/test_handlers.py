from contextlib import AsyncExitStack
from typing import Any

import pytest

from bongsu.broker import RpcError
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.guild_commands import CommandsGetRequest, CommandsPutRequest, GuildCommands
from bongsu.contracts.rpc import GuildHistoryRequest
from bongsu.identity.models import AuditEntry
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_bot.guild_commands import service
from bongsu_bot.shards.runner import Runner
from services.bot.tests.actors import Actor, make_actor
from services.bot.tests.api_server import ApiServer
from services.bot.tests.conftest import StartBot, becomes
from services.bot.tests.discord import BEACON_HILL, HANEUL, JAMES, MINJI, SEOUL_DEVELOPERS, Discord
from services.bot.tests.pages.test_replies import FIRST, find, page

DEADLINE_S = 30.0


async def put(broker: MemoryBroker, actor: Actor, *off: str, revision: int = 0, key: str = "key-0001") -> GuildCommands:
    assertion = await actor.assertion(SEOUL_DEVELOPERS, method="commands_put")
    request = CommandsPutRequest(
        guild_id=SEOUL_DEVELOPERS, off=off, revision=revision, assertion=assertion, idempotency_key=key
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def refused(broker: MemoryBroker, actor: Actor, *off: str, **changed: Any) -> str:  # noqa: ANN401 - of `put`
    with pytest.raises(RpcError) as caught:
        await put(broker, actor, *off, **changed)
    return caught.value.code


async def off(broker: MemoryBroker) -> set[str]:
    found = await ask(broker, CommandsGetRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
    return {one.name for one in found.commands if one.is_off}


async def categories(discord: Discord, **fields: object) -> set[str]:
    answer = await discord.give("help", user_id=str(JAMES), unregistered=True, **fields)
    return {field["name"] for field in answer["answers"][0]["embeds"][0]["fields"]}


@pytest.fixture
async def manager(bot: Runner, vault: Vault) -> Actor:
    del bot
    return await make_actor(vault, HANEUL)


class TestPut:
    async def test_every_command_is_on_until_a_manager_switches_it_off(
        self, broker: MemoryBroker, manager: Actor
    ) -> None:
        assert await off(broker) == set()
        assert (await put(broker, manager, "users", "keys list")).revision == 1
        assert await off(broker) == {"users", "users find", "users block", "users unblock", "keys list"}
        history = await ask(broker, GuildHistoryRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert ("commands_changed", "keys list, users") in [(one.kind, one.detail) for one in history.changes]
        audited = await AuditEntry.filter_by(action="guild.commands_changed").one()
        assert (audited.actor_id, audited.target) == (manager.user_id, f"guild:{SEOUL_DEVELOPERS}")

    async def test_repeated_request_makes_one_change(self, broker: MemoryBroker, manager: Actor) -> None:
        assert await put(broker, manager, "ping") == await put(broker, manager, "ping")
        assert await AuditEntry.filter_by(action="guild.commands_changed").count() == 1

    async def test_outdated_request_is_refused(self, broker: MemoryBroker, manager: Actor) -> None:
        await put(broker, manager, "ping")
        assert await refused(broker, manager, "users", key="key-0002") == "commands_outdated"
        assert await off(broker) == {"ping"}

    @pytest.mark.parametrize("name", ["help", "nothing", "cogs"])
    async def test_help_and_unknown_commands_are_refused(self, broker: MemoryBroker, manager: Actor, name: str) -> None:
        assert await refused(broker, manager, name) == "command_unknown"

    @pytest.mark.usefixtures("bot")
    async def test_member_is_refused(self, broker: MemoryBroker, vault: Vault) -> None:
        assert await refused(broker, await make_actor(vault, JAMES), "ping") == "forbidden"
        assert await off(broker) == set()


class TestCommandThatIsOff:
    async def test_command_answers_privately_that_it_is_off_and_works_again_when_it_is_on(
        self, broker: MemoryBroker, manager: Actor, discord: Discord
    ) -> None:
        await put(broker, manager, "ping")
        answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert answer["ephemeral"]
        assert "This command is switched off in this server." in str(answer["answers"])
        korean = await discord.give("ping", user_id=str(MINJI), unregistered=True)
        assert "꺼 둔 명령어입니다" in str(korean["answers"])
        await put(broker, manager, revision=1, key="key-0002")
        assert "switched off" not in str((await discord.give("ping", user_id=str(JAMES), unregistered=True))["answers"])

    async def test_group_switches_off_its_commands_before_any_api_is_asked(
        self, broker: MemoryBroker, manager: Actor, discord: Discord, api_server: ApiServer
    ) -> None:
        await put(broker, manager, "users")
        answer = await discord.give("users find", user_id=str(JAMES), unregistered=True, options={})
        assert "switched off" in str(answer["answers"])
        assert api_server.requests == []

    async def test_command_works_in_another_server(
        self, broker: MemoryBroker, manager: Actor, discord: Discord
    ) -> None:
        await put(broker, manager, "ping")
        await discord.guild(BEACON_HILL, bot=True)
        answer = await discord.give("ping", user_id=str(MINJI), guild_id=str(BEACON_HILL), unregistered=True)
        assert answer["status"] == "answered"
        assert "꺼 둔 명령어" not in str(answer["answers"])

    async def test_button_of_an_older_reply_says_that_the_command_is_off(
        self, broker: MemoryBroker, manager: Actor, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /auth/users"] = page(FIRST, FIRST)
        answered = await find(discord)
        await put(broker, manager, "users")
        requests = len(api_server.requests)
        assert "switched off" in str(await discord.press(answered, "Next"))
        assert len(api_server.requests) == requests

    async def test_switch_outlives_a_restart(
        self, broker: MemoryBroker, start_bot: StartBot, vault: Vault, discord: Discord
    ) -> None:
        async with start_bot():
            await put(broker, await make_actor(vault, HANEUL), "ping")
        async with start_bot():
            answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert "switched off" in str(answer["answers"])


class TestOtherProcess:
    """Processes of the bot share the database: no request over the broker says that a command was switched."""

    async def test_change_by_another_process_has_effect_without_a_request(
        self, broker: MemoryBroker, manager: Actor, discord: Discord, database: Database
    ) -> None:
        async def answer() -> str:
            return str((await discord.give("ping", user_id=str(JAMES), unregistered=True))["answers"])

        other = Database(database.engine.url.render_as_string(hide_password=False))
        request = CommandsPutRequest(
            guild_id=SEOUL_DEVELOPERS, off=("ping",), revision=0, assertion="of-the-other", idempotency_key="key-0001"
        )
        assert "switched off" not in await answer()
        await other.run(service.put, request, manager.user_id)
        assert "switched off" in await answer()
        assert await off(broker) == {"ping"}
        on = request.model_copy(update={"off": (), "revision": 1, "idempotency_key": "key-0002"})
        await other.run(service.put, on, manager.user_id)
        assert "switched off" not in await answer()
        await other.dispose()

    async def test_process_that_takes_the_shard_over_refuses_the_command(
        self, broker: MemoryBroker, start_bot: StartBot, vault: Vault, discord: Discord
    ) -> None:
        async with AsyncExitStack() as stack:
            async with start_bot() as first:
                second = await stack.enter_async_context(start_bot(until_ready=False))
                assert "switched off" not in str(await discord.give("ping", user_id=str(JAMES)))
                await put(broker, await make_actor(vault, HANEUL), "ping")
                assert [*first._leases.own, *second._leases.own] == [0]
            await becomes(second, "ready")
            answer = await discord.give("ping", user_id=str(JAMES), unregistered=True)
        assert "switched off" in str(answer["answers"])


class TestHelp:
    async def test_help_lists_no_command_that_is_off(
        self, broker: MemoryBroker, manager: Actor, discord: Discord
    ) -> None:
        everything = await categories(discord)
        await put(broker, manager, "ping", "users")
        assert everything - await categories(discord) == {"📡 Status", next(one for one in everything if "👤" in one)}
