import asyncio

import pytest

from bongsu.broker import RpcError
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.blocked_guilds import (
    BlockedGuildListRequest,
    GuildBlock,
    GuildBlockRequest,
    GuildUnblock,
    GuildUnblockRequest,
)
from bongsu.contracts.rpc import GuildHistoryRequest
from bongsu.identity.models import AuditEntry, User
from bongsu.identity.vault import Vault
from bongsu_bot.blocked_guilds.models import BlockedGuild
from bongsu_bot.guilds.models import Guild
from services.bot.tests.actors import Actor, make_actor
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import BEACON_HILL, MINJI, SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually

DEADLINE_S = 30.0


async def make_administrator(vault: Vault) -> Actor:
    """An administrator of the project without a Discord account."""
    actor = await make_actor(vault, None)
    await User.filter_by(id=actor.user_id).update(role="administrator", name="관리자")
    return actor


async def block(broker: MemoryBroker, actor: Actor, guild_id: int, reason: str = "spam") -> GuildBlock:
    request = GuildBlockRequest(
        guild_id=guild_id,
        reason=reason,
        assertion=await actor.assertion(guild_id, method="guild_block"),
        idempotency_key="key-0001",
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def unblock(broker: MemoryBroker, actor: Actor, guild_id: int) -> GuildUnblock:
    request = GuildUnblockRequest(
        guild_id=guild_id,
        assertion=await actor.assertion(guild_id, method="guild_unblock"),
        idempotency_key="key-0002",
    )
    return await ask(broker, request, deadline_s=DEADLINE_S)


async def is_in(discord: Discord, guild_id: int) -> bool:
    found: bool = next(one["bot"] for one in (await discord.state())["guilds"] if one["id"] == str(guild_id))
    return found


async def is_out(discord: Discord, guild_id: int) -> bool:
    return not await is_in(discord, guild_id)


async def is_stored_as_left(guild_id: int) -> bool:
    found = await Guild.get_or_none(guild_id)
    return found is not None and found.status == "left"


@pytest.mark.usefixtures("bot")
class TestBlock:
    async def test_bot_leaves_a_guild_that_is_blocked(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_administrator(vault)
        answers = await asyncio.gather(*(block(broker, actor, SEOUL_DEVELOPERS) for _ in range(3)))
        assert len({answer.blocked_at for answer in answers}) == 1
        await eventually(lambda: is_out(discord, SEOUL_DEVELOPERS))
        await eventually(lambda: is_stored_as_left(SEOUL_DEVELOPERS))
        audited = await AuditEntry.filter_by(action="guild.blocked").one()
        assert (audited.actor_id, audited.target) == (actor.user_id, f"guild:{SEOUL_DEVELOPERS}")
        history = await ask(broker, GuildHistoryRequest(guild_id=SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert ("blocked", "관리자") in [(change.kind, change.actor) for change in history.changes]

    async def test_bot_leaves_again_whenever_it_is_added(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        await block(broker, await make_administrator(vault), BEACON_HILL)  # a guild that the bot was never in
        for _ in range(2):
            await discord.guild(BEACON_HILL, bot=True)
            await eventually(lambda: is_out(discord, BEACON_HILL))
        assert await is_in(discord, SEOUL_DEVELOPERS)

    async def test_bot_stays_in_a_guild_that_was_unblocked(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_administrator(vault)
        await block(broker, actor, BEACON_HILL)
        assert [(await unblock(broker, actor, BEACON_HILL)).was_blocked for _ in range(2)] == [True, False]
        await discord.guild(BEACON_HILL, bot=True)
        await block(broker, actor, SEOUL_DEVELOPERS)
        await eventually(lambda: is_out(discord, SEOUL_DEVELOPERS))
        assert await is_in(discord, BEACON_HILL)
        assert await AuditEntry.filter_by(action="guild.unblocked").count() == 1

    async def test_guild_is_left_when_discord_answers_again(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        await discord.fault("discord", "unavailable", detail={"route": "/users/@me/guilds/"})
        await block(broker, await make_administrator(vault), SEOUL_DEVELOPERS)
        assert await is_in(discord, SEOUL_DEVELOPERS)
        await discord.sandbox.clear_faults()
        await eventually(lambda: is_out(discord, SEOUL_DEVELOPERS))

    @pytest.mark.parametrize("change", [{"role": "manager"}, {"role": "administrator", "status": "blocked"}])
    async def test_only_administrators_of_the_project_block(
        self, change: dict[str, str], discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)  # who manages the server
        await User.filter_by(id=actor.user_id).update(**change)
        for attempt in (block, unblock):
            with pytest.raises(RpcError) as caught:
                await attempt(broker, actor, SEOUL_DEVELOPERS)
            assert caught.value.code in ("forbidden", "assertion_refused")
        assert await BlockedGuild.row_count() == 0
        assert await is_in(discord, SEOUL_DEVELOPERS)


class TestLogin:
    async def test_guild_that_was_blocked_meanwhile_is_left_at_the_login(
        self, discord: Discord, start_bot: StartBot
    ) -> None:
        await BlockedGuild.create(id=SEOUL_DEVELOPERS, reason="spam")
        async with start_bot():
            await eventually(lambda: is_out(discord, SEOUL_DEVELOPERS))


@pytest.mark.usefixtures("bot")
class TestList:
    async def test_list_names_guild_reason_and_administrator(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_administrator(vault)
        for guild_id in (BEACON_HILL, SEOUL_DEVELOPERS):
            await block(broker, actor, guild_id, "광고")
        found = await ask(broker, BlockedGuildListRequest(), deadline_s=DEADLINE_S)
        assert {one.id: (one.reason, one.blocked_by) for one in found.guilds} == {
            BEACON_HILL: ("광고", "관리자"),
            SEOUL_DEVELOPERS: ("광고", "관리자"),
        }
        assert {one.id for one in found.guilds if one.name is not None} == {SEOUL_DEVELOPERS}

    async def test_list_continues_after_a_page(self, broker: MemoryBroker) -> None:
        await BlockedGuild.bulk_create([{"id": number, "reason": "spam"} for number in range(1, 4)])
        first = await ask(broker, BlockedGuildListRequest(limit=2), deadline_s=DEADLINE_S)
        assert ([one.id for one in first.guilds], first.next) == ([1, 2], 2)
        second = await ask(broker, BlockedGuildListRequest(limit=2, after=2), deadline_s=DEADLINE_S)
        assert ([one.id for one in second.guilds], second.next) == ([3], None)

    async def test_list_of_ids_holds_those_that_are_blocked(self, broker: MemoryBroker) -> None:
        await BlockedGuild.create(id=5, reason="spam")
        found = await ask(broker, BlockedGuildListRequest(ids=(4, 5)), deadline_s=DEADLINE_S)
        assert [one.id for one in found.guilds] == [5]
