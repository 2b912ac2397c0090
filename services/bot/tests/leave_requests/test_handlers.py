import asyncio

import pytest

from bongsu.broker import RpcError, RpcTimeout
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import GuildLeaveRequest
from bongsu.identity.models import AuditEntry
from bongsu.identity.tokens import SigningKey
from bongsu.identity.vault import Vault
from bongsu_bot.leave_requests.models import LeaveRequest
from services.bot.tests.actors import make_actor
from services.bot.tests.discord import (
    BEACON_HILL,
    EMMA,
    HANEUL,
    JAMES,
    MINJI,
    SEOUL_DEVELOPERS,
    Discord,
)

pytestmark = pytest.mark.usefixtures("bot")
DEADLINE_S = 30.0


async def is_in(discord: Discord, guild_id: int) -> bool:
    found: bool = next(one["bot"] for one in (await discord.state())["guilds"] if one["id"] == str(guild_id))
    return found


async def refused(broker: MemoryBroker, request: GuildLeaveRequest) -> str:
    with pytest.raises(RpcError) as caught:
        await ask(broker, request, deadline_s=DEADLINE_S)
    return caught.value.code


class TestLeave:
    @pytest.mark.parametrize("manager", [HANEUL, MINJI], ids=["owner", "administrator"])
    async def test_who_manages_the_guild_has_the_bot_leave(
        self, manager: int, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, manager)
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS
        assert not await is_in(discord, SEOUL_DEVELOPERS)
        audited = await AuditEntry.filter_by(action="guild.left").one()
        assert (audited.actor_id, audited.target) == (actor.user_id, f"guild:{SEOUL_DEVELOPERS}")

    async def test_a_double_click_leaves_once(self, discord: Discord, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        requests = [await actor.leave(SEOUL_DEVELOPERS) for _ in range(4)]
        answers = await asyncio.gather(*(ask(broker, one, deadline_s=DEADLINE_S) for one in requests))
        assert len({answer.left_at for answer in answers}) == 1
        state = await discord.state()
        assert state["leaves"] == 1
        assert state["rest"]["DELETE /users/@me/guilds/{guild_id}"] == 1
        assert await AuditEntry.filter_by(action="guild.left").count() == 1

    async def test_a_replayed_request_is_refused(self, discord: Discord, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        request = await actor.leave(SEOUL_DEVELOPERS)
        await ask(broker, request, deadline_s=DEADLINE_S)
        await discord.guild(SEOUL_DEVELOPERS, bot=True)
        assert await refused(broker, request) == "assertion_refused"
        assert await is_in(discord, SEOUL_DEVELOPERS)

    async def test_the_same_key_for_another_guild_is_refused(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.guild(BEACON_HILL, bot=True)
        await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert await refused(broker, await actor.leave(BEACON_HILL)) == "idempotency_key_reused"

    async def test_an_expired_request_leaves_nothing(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.fault("discord", "hang", detail={"route": "/guilds/", "seconds": "1"})
        with pytest.raises(RpcTimeout):
            await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=0.5)
        await discord.sandbox.clear_faults()
        # Whatever was asked before is over when this is answered.
        assert (await discord.give("ping"))["status"] == "answered"
        assert await is_in(discord, SEOUL_DEVELOPERS)
        assert (await discord.state())["rest"].get("DELETE /users/@me/guilds/{guild_id}", 0) == 0

    async def test_a_lost_answer_is_made_good_by_asking_again(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.fault("discord", "reset", detail={"route": "/users/@me/guilds/"})
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "discord_unavailable"
        await discord.sandbox.clear_faults()
        await discord.guild(SEOUL_DEVELOPERS, bot=False)  # as if only the answer had been lost
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS


class TestAuthority:
    @pytest.mark.parametrize("other", [JAMES, EMMA], ids=["member", "stranger"])
    async def test_who_does_not_manage_the_guild_is_refused(
        self, other: int, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, other)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "forbidden"
        assert await is_in(discord, SEOUL_DEVELOPERS)
        assert await LeaveRequest.row_count() == 0

    async def test_authority_is_asked_for_at_that_moment(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, JAMES)
        await discord.member(SEOUL_DEVELOPERS, JAMES, 32)
        await discord.member(SEOUL_DEVELOPERS, JAMES, 0)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "forbidden"
        await discord.member(SEOUL_DEVELOPERS, JAMES, 32)
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS

    async def test_who_has_no_discord_account_is_refused(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, None)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "not_linked"

    async def test_a_guild_without_the_bot_is_not_found(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        assert await refused(broker, await actor.leave(BEACON_HILL)) == "guild_not_found"


class TestAssertions:
    async def test_a_forged_one_is_refused(self, discord: Discord, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        forged = await actor.assertion(SEOUL_DEVELOPERS, key=SigningKey.generate())
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=forged, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"
        assert await is_in(discord, SEOUL_DEVELOPERS)

    @pytest.mark.parametrize(
        "wrong", [{"audience": "notify"}, {"method": "guild_detail"}, {"issuer": "http://elsewhere.test"}]
    )
    async def test_one_for_something_else_is_refused(
        self, wrong: dict[str, str], broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        assertion = await actor.assertion(SEOUL_DEVELOPERS, **wrong)  # type: ignore[arg-type]  # by name
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=assertion, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"

    async def test_one_for_another_guild_is_refused(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        assertion = await actor.assertion(BEACON_HILL)
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=assertion, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"
