"""`module_get` and `module_put` over the broker, and what modules post."""

import asyncio

import pytest

from bongsu.broker import RpcError
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import (
    GuildHistoryRequest,
    ModuleGetRequest,
    ModuleName,
    ModulePutRequest,
    ModuleState,
    SendMessageRequest,
)
from bongsu.identity.models import AuditEntry
from bongsu.identity.vault import Vault
from bongsu_bot.shards.runner import Runner
from services.bot.tests.actors import Actor, make_actor
from services.bot.tests.discord import BEACON_HILL, HANEUL, JAMES, SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually

CHANNEL, OTHER_CHANNEL = SEOUL_DEVELOPERS + 11, SEOUL_DEVELOPERS + 12
DEADLINE_S = 30.0


async def put(
    broker: MemoryBroker,
    actor: Actor,
    module: ModuleName = "log",
    *,
    enabled: bool = True,
    channel_id: int | None = OTHER_CHANNEL,
    revision: int = 0,
    key: str = "key-0001",
    assertion: str | None = None,
) -> ModuleState:
    request = ModulePutRequest(
        guild_id=SEOUL_DEVELOPERS,
        module=module,
        enabled=enabled,
        channel_id=channel_id,
        revision=revision,
        idempotency_key=key,
        assertion=assertion or await actor.assertion(SEOUL_DEVELOPERS, method="module_put"),
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def read(broker: MemoryBroker, module: ModuleName = "log") -> ModuleState:
    found = await ask(broker, ModuleGetRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
    return next(one for one in found.modules if one.module == module)


@pytest.fixture
async def manager(bot: Runner, vault: Vault) -> Actor:
    del bot
    return await make_actor(vault, HANEUL)


class TestModulePut:
    async def test_module_is_off_until_a_manager_sets_it(self, broker: MemoryBroker, manager: Actor) -> None:
        assert await read(broker) == ModuleState(module="log")
        state = await put(broker, manager)
        assert (state.enabled, state.channel_id, state.revision, state.missing) == (True, OTHER_CHANNEL, 1, ())
        assert await read(broker) == state
        history = await ask(broker, GuildHistoryRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert ("module_on", "log") in [(change.kind, change.detail) for change in history.changes]
        assert await AuditEntry.filter_by(action="guild.module_changed", actor_id=manager.user_id).count() == 1

    async def test_repeated_request_changes_nothing(self, broker: MemoryBroker, manager: Actor) -> None:
        first = await put(broker, manager)
        assert await put(broker, manager) == first
        assert await AuditEntry.filter_by(action="guild.module_changed").count() == 1

    async def test_change_of_an_older_state_is_refused(self, broker: MemoryBroker, manager: Actor) -> None:
        await put(broker, manager)
        for revision in (0, 2):
            with pytest.raises(RpcError, match="module_outdated"):
                await put(broker, manager, enabled=False, revision=revision, key="key-0002")
        assert (await put(broker, manager, enabled=False, revision=1, key="key-0003")).revision == 2

    async def test_of_two_changes_at_the_same_time_one_is_made(self, broker: MemoryBroker, manager: Actor) -> None:
        await put(broker, manager)
        changes = [put(broker, manager, revision=1, key=f"key-100{number}") for number in range(2)]
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        assert sorted(type(one).__name__ for one in outcomes) == ["ModuleState", "RpcError"]

    async def test_user_who_does_not_manage_the_guild_is_refused(
        self, broker: MemoryBroker, manager: Actor, vault: Vault
    ) -> None:
        member = await make_actor(vault, JAMES)
        with pytest.raises(RpcError, match="forbidden"):
            await put(broker, member)
        with pytest.raises(RpcError, match="not_linked"):
            await put(broker, await make_actor(vault, None))
        other_guild = await manager.assertion(BEACON_HILL, method="module_put")
        other_method = await manager.assertion(SEOUL_DEVELOPERS, method="guild_leave")
        for assertion in (other_guild, other_method, "forged"):
            with pytest.raises(RpcError, match="assertion_refused"):
                await put(broker, manager, assertion=assertion)
        assert await read(broker) == ModuleState(module="log")

    async def test_assertion_works_once(self, broker: MemoryBroker, manager: Actor) -> None:
        assertion = await manager.assertion(SEOUL_DEVELOPERS, method="module_put")
        await put(broker, manager, assertion=assertion)
        with pytest.raises(RpcError, match="assertion_refused"):
            await put(broker, manager, enabled=False, revision=1, key="key-0002", assertion=assertion)

    @pytest.mark.parametrize(
        ("channel_id", "code"),
        [(None, "channel_required"), (1, "channel_not_found"), (BEACON_HILL + 11, "channel_not_found")],
    )
    async def test_channel_must_be_one_of_the_guild(
        self, broker: MemoryBroker, manager: Actor, channel_id: int | None, code: str
    ) -> None:
        with pytest.raises(RpcError, match=code):
            await put(broker, manager, channel_id=channel_id)


class TestDiagnosis:
    async def test_missing_permission_is_named(self, broker: MemoryBroker, manager: Actor, discord: Discord) -> None:
        await put(broker, manager)
        await discord.guild(SEOUL_DEVELOPERS, everyone=1 << 10)

        async def is_diagnosed() -> bool:
            return "send_messages" in ((await read(broker)).missing or ())

        await eventually(is_diagnosed)


class TestPosts:
    async def test_log_posts_changes_and_commands(self, broker: MemoryBroker, manager: Actor, discord: Discord) -> None:
        await put(broker, manager)
        await discord.give("ping", user_id=JAMES)

        async def posted() -> list[str]:
            return [one["content"] for one in await discord.messages(OTHER_CHANNEL)]

        async def is_posted() -> bool:
            return len(await posted()) == 2

        await eventually(is_posted)
        assert "**활동 기록** 모듈을 켜거나 변경했습니다." in (await posted())[0]
        assert (await posted())[1] == "`/ping` 명령어가 사용되었습니다."

    async def test_feed_gets_a_receipt_for_a_notification_in_the_guild(
        self, broker: MemoryBroker, manager: Actor, discord: Discord
    ) -> None:
        await put(broker, manager, "feed")
        request = SendMessageRequest(channel_id=CHANNEL, guild_id=SEOUL_DEVELOPERS, nonce="n" * 22, text="봉수")
        sent = await ask(broker, request, deadline_s=DEADLINE_S)

        async def has_receipt() -> bool:
            texts = [one["content"] for one in await discord.messages(OTHER_CHANNEL)]
            return texts == [
                f"알림을 게시했습니다: https://discord.com/channels/{SEOUL_DEVELOPERS}/{CHANNEL}/{sent.message_id}"
            ]

        await eventually(has_receipt)
        assert [one["content"] for one in await discord.messages(CHANNEL)] == ["봉수"]
