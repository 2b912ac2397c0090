import asyncio

import pytest
from discord.http import HTTPClient
from pydantic import SecretStr

from bongsu.broker import RpcError, RpcTimeout
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.guilds import GuildEvent
from bongsu.contracts.rpc import GuildExpelRequest, GuildLeave, GuildLeaveRequest
from bongsu.identity.models import AuditEntry, User
from bongsu.identity.tokens import SigningKey
from bongsu.identity.vault import Vault
from bongsu_bot.guilds import service
from bongsu_bot.guilds.models import Guild
from bongsu_bot.guilds.service import GuildSnapshot
from bongsu_bot.leave_requests.models import LeaveRequest
from bongsu_bot.leave_requests.service import CLAIM_S
from services.bot.tests.actors import Actor, make_actor
from services.bot.tests.conftest import StartBot, becomes
from services.bot.tests.discord import (
    BEACON_HILL,
    EMMA,
    HANEUL,
    JAMES,
    MINJI,
    SEOUL_DEVELOPERS,
    Discord,
)

DEADLINE_S = 30.0


async def is_in(discord: Discord, guild_id: int) -> bool:
    found: bool = next(one["bot"] for one in (await discord.state())["guilds"] if one["id"] == str(guild_id))
    return found


async def refused(broker: MemoryBroker, request: GuildLeaveRequest) -> str:
    with pytest.raises(RpcError) as caught:
        await ask(broker, request, deadline_s=DEADLINE_S)
    return caught.value.code


@pytest.mark.usefixtures("bot")
class TestLeave:
    @pytest.mark.parametrize("manager", [HANEUL, MINJI], ids=["owner", "administrator"])
    async def test_leave_removes_the_bot_when_the_actor_manages_the_guild(
        self, manager: int, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, manager)
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS
        assert not await is_in(discord, SEOUL_DEVELOPERS)
        audited = await AuditEntry.filter_by(action="guild.left").one()
        assert (audited.actor_id, audited.target) == (actor.user_id, f"guild:{SEOUL_DEVELOPERS}")

    async def test_leave_runs_once_when_the_form_is_sent_several_times(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        requests = [await actor.leave(SEOUL_DEVELOPERS) for _ in range(4)]
        answers = await asyncio.gather(*(ask(broker, one, deadline_s=DEADLINE_S) for one in requests))
        assert len({answer.left_at for answer in answers}) == 1
        state = await discord.state()
        assert state["leaves"] == 1
        assert state["rest"]["DELETE /users/@me/guilds/{guild_id}"] == 1
        assert await AuditEntry.filter_by(action="guild.left").count() == 1

    async def test_leave_refuses_a_replayed_request(self, discord: Discord, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        request = await actor.leave(SEOUL_DEVELOPERS)
        await ask(broker, request, deadline_s=DEADLINE_S)
        await discord.guild(SEOUL_DEVELOPERS, bot=True)
        assert await refused(broker, request) == "assertion_refused"
        assert await is_in(discord, SEOUL_DEVELOPERS)

    async def test_leave_refuses_a_key_that_was_used_for_another_guild(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.guild(BEACON_HILL, bot=True)
        await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert await refused(broker, await actor.leave(BEACON_HILL)) == "idempotency_key_reused"

    async def test_leave_does_nothing_after_the_deadline(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.fault("discord", "hang", detail={"route": "/guilds/", "seconds": "1"})
        with pytest.raises(RpcTimeout):
            await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=0.5)
        await discord.sandbox.clear_faults()
        # The bot handles this command after it has finished the request.
        assert (await discord.give("ping"))["status"] == "answered"
        assert await is_in(discord, SEOUL_DEVELOPERS)
        assert (await discord.state())["rest"].get("DELETE /users/@me/guilds/{guild_id}", 0) == 0

    async def test_leave_is_refused_when_the_bot_was_added_again(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        await discord.guild(SEOUL_DEVELOPERS, bot=True)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "request_outdated"
        assert await is_in(discord, SEOUL_DEVELOPERS)

    async def test_leave_is_finished_when_the_deadline_passes_while_discord_leaves(
        self, discord: Discord, broker: MemoryBroker, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leave_guild, answered = HTTPClient.leave_guild, asyncio.Event()

        async def leave_guild_slowly(http: HTTPClient, guild_id: int) -> None:
            await leave_guild(http, guild_id)
            await answered.wait()

        monkeypatch.setattr(HTTPClient, "leave_guild", leave_guild_slowly)
        actor = await make_actor(vault, MINJI)
        asking = asyncio.create_task(ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=5))
        with pytest.raises(RpcTimeout):
            await asking
        assert not await is_in(discord, SEOUL_DEVELOPERS)
        answered.set()
        # Less than the time for which the first attempt holds its claim.
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=CLAIM_S - 5)
        assert answer.guild_id == SEOUL_DEVELOPERS
        assert (await discord.state())["rest"]["DELETE /users/@me/guilds/{guild_id}"] == 1
        assert await AuditEntry.filter_by(action="guild.left").count() == 1

    async def test_leave_succeeds_on_retry_when_the_first_answer_was_lost(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await discord.fault("discord", "reset", detail={"route": "/users/@me/guilds/"})
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "discord_unavailable"
        await discord.sandbox.clear_faults()
        await discord.guild(SEOUL_DEVELOPERS, bot=False)  # as if only the answer was lost
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS


@pytest.mark.usefixtures("bot")
class TestAuthority:
    @pytest.mark.parametrize("other", [JAMES, EMMA], ids=["member", "stranger"])
    async def test_leave_refuses_a_user_who_does_not_manage_the_guild(
        self, other: int, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, other)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "forbidden"
        assert await is_in(discord, SEOUL_DEVELOPERS)
        assert await LeaveRequest.row_count() == 0

    async def test_leave_reads_the_permissions_at_the_time_of_the_request(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, JAMES)
        await discord.member(SEOUL_DEVELOPERS, JAMES, 32)
        await discord.member(SEOUL_DEVELOPERS, JAMES, 0)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "forbidden"
        await discord.member(SEOUL_DEVELOPERS, JAMES, 32)
        answer = await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
        assert answer.guild_id == SEOUL_DEVELOPERS

    async def test_leave_refuses_a_user_without_a_discord_account(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, None)
        assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "not_linked"

    async def test_leave_reports_not_found_when_the_bot_is_not_in_the_guild(
        self, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        assert await refused(broker, await actor.leave(BEACON_HILL)) == "guild_not_found"


@pytest.mark.usefixtures("bot")
class TestAssertions:
    async def test_leave_refuses_an_assertion_signed_with_another_key(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        forged = await actor.assertion(SEOUL_DEVELOPERS, key=SigningKey.generate())
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=forged, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"
        assert await is_in(discord, SEOUL_DEVELOPERS)

    @pytest.mark.parametrize(
        "wrong", [{"audience": "notify"}, {"method": "guild_detail"}, {"issuer": "http://elsewhere.test"}]
    )
    async def test_leave_refuses_an_assertion_for_another_action(
        self, wrong: dict[str, str], broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        assertion = await actor.assertion(SEOUL_DEVELOPERS, **wrong)  # type: ignore[arg-type]  # by name
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=assertion, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"

    async def test_leave_refuses_an_assertion_for_another_guild(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, MINJI)
        assertion = await actor.assertion(BEACON_HILL)
        request = GuildLeaveRequest(guild_id=SEOUL_DEVELOPERS, assertion=assertion, idempotency_key="key-0001")
        assert await refused(broker, request) == "assertion_refused"


async def _is_stored_as_left(guild_id: int) -> bool:
    return (await Guild.get(guild_id)).status == "left"


class TestWithoutTheGateway:
    async def test_leave_removes_the_bot_while_the_gateway_is_down(
        self,
        discord: Discord,
        broker: MemoryBroker,
        vault: Vault,
        start_bot: StartBot,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def mark_left_slowly(*guild_ids: int) -> list[GuildEvent]:
            await asyncio.sleep(0.3)
            return await service.mark_left(*guild_ids)

        monkeypatch.setattr("bongsu_bot.leave_requests.service.mark_left", mark_left_slowly)
        # py-cord tries again for 25 s after a 500, 502, 503 or 504.
        await discord.fault("discord", "error", detail={"route": "/gateway", "status": "520"})
        async with start_bot(until_ready=False) as runner:
            await becomes(runner, "waiting")
            await service.upsert(GuildSnapshot(SEOUL_DEVELOPERS, "서울", None, None, None, None))
            actor = await make_actor(vault, MINJI)
            await ask(broker, await actor.leave(SEOUL_DEVELOPERS), deadline_s=DEADLINE_S)
            assert not runner.ready
            assert not await is_in(discord, SEOUL_DEVELOPERS)
            assert await _is_stored_as_left(SEOUL_DEVELOPERS)  # by then: the caller's next page is the list

    async def test_leave_checks_the_authority_while_the_gateway_is_down(
        self, discord: Discord, broker: MemoryBroker, vault: Vault, start_bot: StartBot
    ) -> None:
        await discord.fault("discord", "unavailable", detail={"route": "/gateway"})
        async with start_bot(until_ready=False):
            actor = await make_actor(vault, JAMES)
            assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "forbidden"

    async def test_leave_reports_not_ready_when_discord_refuses_the_token(
        self, broker: MemoryBroker, vault: Vault, start_bot: StartBot
    ) -> None:
        async with start_bot(until_ready=False, token=SecretStr("wrong")):
            actor = await make_actor(vault, MINJI)
            assert await refused(broker, await actor.leave(SEOUL_DEVELOPERS)) == "bot_not_ready"


async def expel(broker: MemoryBroker, actor: Actor, *, method: str = "guild_expel") -> GuildLeave:
    """Make the bot leave a server, as an administrator of the project."""
    assertion = await actor.assertion(SEOUL_DEVELOPERS, method=method)
    request = GuildExpelRequest(guild_id=SEOUL_DEVELOPERS, assertion=assertion, idempotency_key="key-0001")
    return await ask(broker, request, deadline_s=DEADLINE_S)


@pytest.mark.usefixtures("bot")
class TestExpel:
    async def test_expel_leaves_once_when_an_administrator_manages_nothing(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, None)
        await User.filter_by(id=actor.user_id).update(role="administrator")
        answers = await asyncio.gather(*(expel(broker, actor) for _ in range(3)))
        assert len({answer.left_at for answer in answers}) == 1
        assert (await discord.state())["leaves"] == 1
        audited = await AuditEntry.filter_by(action="guild.expelled").one()
        assert (audited.actor_id, audited.target) == (actor.user_id, f"guild:{SEOUL_DEVELOPERS}")
        assert await AuditEntry.filter_by(action="guild.left").count() == 0

    @pytest.mark.parametrize("change", [{"role": "manager"}, {"role": "administrator", "status": "blocked"}])
    async def test_expel_is_refused_when_the_user_is_no_active_administrator(
        self, change: dict[str, str], discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await User.filter_by(id=actor.user_id).update(**change)
        with pytest.raises(RpcError, match=r"forbidden|assertion_refused"):
            await expel(broker, actor)
        assert await is_in(discord, SEOUL_DEVELOPERS)

    async def test_expel_refuses_an_assertion_for_leaving(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, MINJI)
        await User.filter_by(id=actor.user_id).update(role="administrator")
        with pytest.raises(RpcError, match="assertion_refused"):
            await expel(broker, actor, method="guild_leave")
        assert await is_in(discord, SEOUL_DEVELOPERS)
