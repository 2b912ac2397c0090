"""`delegation_get`, `delegation_put` and `delegated_guilds` over the broker, and changes of modules by a delegate."""

import pytest

from bongsu.broker import RpcError
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import (
    DelegatedGuildsRequest,
    DelegationGetRequest,
    DelegationPutRequest,
    GuildHistoryRequest,
    ModuleDelegation,
    ModulePutRequest,
    ModuleState,
)
from bongsu.identity.models import AuditEntry
from bongsu.identity.vault import Vault
from bongsu_bot.delegations.handlers import MAX_CHECKS
from bongsu_bot.delegations.models import GuildDelegation
from bongsu_bot.shards.runner import Runner
from services.bot.tests.actors import Actor, make_actor
from services.bot.tests.discord import BEACON_HILL, HANEUL, JAMES, SEOUL_DEVELOPERS, Discord

HELPER = SEOUL_DEVELOPERS + 4
CHANNEL = SEOUL_DEVELOPERS + 11
DEADLINE_S = 30.0


async def delegate(
    broker: MemoryBroker, actor: Actor, role_id: int | None = HELPER, *, revision: int = 0, key: str = "key-0001"
) -> ModuleDelegation:
    request = DelegationPutRequest(
        guild_id=SEOUL_DEVELOPERS,
        role_id=role_id,
        revision=revision,
        idempotency_key=key,
        assertion=await actor.assertion(SEOUL_DEVELOPERS, method="delegation_put"),
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def set_module(broker: MemoryBroker, actor: Actor, *, revision: int = 0, enabled: bool = True) -> ModuleState:
    request = ModulePutRequest(
        guild_id=SEOUL_DEVELOPERS,
        module="log",
        enabled=enabled,
        channel_id=CHANNEL,
        revision=revision,
        idempotency_key=f"module-{revision}",
        assertion=await actor.assertion(SEOUL_DEVELOPERS, method="module_put"),
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def delegated(broker: MemoryBroker, actor: Actor) -> tuple[int, ...]:
    request = DelegatedGuildsRequest(user_id=actor.user_id, ids=(SEOUL_DEVELOPERS, BEACON_HILL))
    return (await ask(broker, request, deadline_s=DEADLINE_S)).ids


@pytest.fixture
async def manager(bot: Runner, vault: Vault) -> Actor:
    del bot
    return await make_actor(vault, HANEUL)


@pytest.fixture
async def helper(vault: Vault, manager: Actor, discord: Discord) -> Actor:
    """James, a member with the role Helper."""
    del manager
    await discord.member(SEOUL_DEVELOPERS, JAMES, 0, HELPER)
    return await make_actor(vault, JAMES)


class TestDelegation:
    async def test_role_is_set_by_a_manager_with_its_author_in_the_history(
        self, broker: MemoryBroker, manager: Actor
    ) -> None:
        before = await ask(broker, DelegationGetRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert (before.role_id, before.revision) == (None, 0)
        assert {"도우미", "Manager"} <= {role.name for role in before.roles}
        assert not {"@everyone", "Bongsu"} & {role.name for role in before.roles}
        assert (await delegate(broker, manager)).revision == 1
        after = await ask(broker, DelegationGetRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert (after.role_id, after.revision) == (HELPER, 1)
        history = await ask(broker, GuildHistoryRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert (history.changes[0].kind, history.changes[0].detail) == ("modules_delegated", "도우미")
        assert await AuditEntry.filter_by(action="guild.modules_delegated", actor_id=manager.user_id).count() == 1

    async def test_repeated_request_changes_nothing_and_an_older_state_is_refused(
        self, broker: MemoryBroker, manager: Actor
    ) -> None:
        assert [(await delegate(broker, manager)).revision for _ in range(2)] == [1, 1]
        assert await AuditEntry.filter_by(action="guild.modules_delegated").count() == 1
        for revision in (0, 2):
            with pytest.raises(RpcError, match="delegation_outdated"):
                await delegate(broker, manager, None, revision=revision, key="key-0002")

    async def test_key_of_another_change_withdraws_nothing_and_does_not_claim_to(
        self, broker: MemoryBroker, manager: Actor
    ) -> None:
        await delegate(broker, manager)
        with pytest.raises(RpcError, match="delegation_outdated"):
            await delegate(broker, manager, None)
        after = await ask(broker, DelegationGetRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert (after.role_id, after.revision) == (HELPER, 1)
        assert (await delegate(broker, manager, None, revision=1)).revision == 2
        assert await AuditEntry.filter_by(action="guild.modules_withdrawn", actor_id=manager.user_id).count() == 1

    @pytest.mark.parametrize("role", [SEOUL_DEVELOPERS, BEACON_HILL + 4, 1])
    async def test_role_of_everyone_or_of_another_server_is_refused(
        self, broker: MemoryBroker, manager: Actor, role: int
    ) -> None:
        with pytest.raises(RpcError, match="role_not_found"):
            await delegate(broker, manager, role)
        assert await AuditEntry.filter_by(action="guild.modules_delegated").count() == 0

    async def test_role_of_a_bot_is_refused(self, broker: MemoryBroker, manager: Actor, bot: Runner) -> None:
        guild = bot.find_guild(SEOUL_DEVELOPERS)
        assert guild is not None
        assert guild.self_role is not None
        with pytest.raises(RpcError, match="role_not_found"):
            await delegate(broker, manager, guild.self_role.id)

    async def test_delegate_sets_modules_and_delegates_nothing(
        self, broker: MemoryBroker, manager: Actor, helper: Actor
    ) -> None:
        with pytest.raises(RpcError, match="forbidden"):
            await set_module(broker, helper)
        await delegate(broker, manager)
        assert (await set_module(broker, helper)).enabled
        with pytest.raises(RpcError, match="forbidden"):
            await delegate(broker, helper, HELPER + 1, revision=1, key="key-0002")

    async def test_key_of_another_change_sets_no_module_and_does_not_claim_to(
        self, broker: MemoryBroker, manager: Actor
    ) -> None:
        state = await set_module(broker, manager)
        assert await set_module(broker, manager) == state
        with pytest.raises(RpcError, match="module_outdated"):
            await set_module(broker, manager, enabled=False)

    async def test_access_ends_with_the_role_and_with_the_delegation(
        self, broker: MemoryBroker, manager: Actor, helper: Actor, discord: Discord
    ) -> None:
        assert await delegated(broker, helper) == ()
        await delegate(broker, manager)
        assert await delegated(broker, helper) == (SEOUL_DEVELOPERS,)
        await discord.member(SEOUL_DEVELOPERS, JAMES)
        assert await delegated(broker, helper) == ()
        with pytest.raises(RpcError, match="forbidden"):
            await set_module(broker, helper)
        await discord.member(SEOUL_DEVELOPERS, JAMES, 0, HELPER)
        assert await delegated(broker, helper) == (SEOUL_DEVELOPERS,)
        await delegate(broker, manager, None, revision=1, key="key-0002")
        assert await delegated(broker, helper) == ()
        with pytest.raises(RpcError, match="forbidden"):
            await set_module(broker, helper)

    async def test_guilds_beyond_a_page_follow_on_request(
        self, broker: MemoryBroker, manager: Actor, helper: Actor
    ) -> None:
        await delegate(broker, manager)
        others = range(1, MAX_CHECKS + 1)
        for guild_id in others:
            await GuildDelegation.create(guild_id=guild_id, role_id=1, revision=1, idempotency_key="key-0009")
        ids = (*others, SEOUL_DEVELOPERS)
        first = await ask(broker, DelegatedGuildsRequest(user_id=helper.user_id, ids=ids), deadline_s=DEADLINE_S)
        assert (first.ids, first.next) == ((), MAX_CHECKS)
        request = DelegatedGuildsRequest(user_id=helper.user_id, ids=ids, after=first.next)
        second = await ask(broker, request, deadline_s=DEADLINE_S)
        assert (second.ids, second.next) == ((SEOUL_DEVELOPERS,), None)

    async def test_user_without_a_discord_account_has_no_guilds(
        self, broker: MemoryBroker, manager: Actor, vault: Vault
    ) -> None:
        await delegate(broker, manager)
        assert await delegated(broker, await make_actor(vault, None)) == ()

    async def test_failing_discord_delegates_nothing(
        self, broker: MemoryBroker, manager: Actor, helper: Actor, discord: Discord
    ) -> None:
        await delegate(broker, manager)
        # py-cord tries again for 25 s after a 500, 502, 503 or 504.
        await discord.fault("discord", "error", detail={"status": "520"})
        assert await delegated(broker, helper) == ()
