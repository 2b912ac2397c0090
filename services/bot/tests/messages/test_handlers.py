"""`send_message` and the checks of authority, from outside: over the broker and the sandbox's Discord."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from bongsu.broker import RpcError, RpcTimeout
from bongsu.broker.memory import MemoryBroker
from bongsu.broker.requests import ask
from bongsu.contracts.queues import BOT_MESSAGES
from bongsu.contracts.rpc import (
    ChannelAuthorityRequest,
    GuildAuthorityRequest,
    GuildListRequest,
    SendMessageRequest,
)
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu_bot.guilds.port import ChannelInfo
from bongsu_bot.guilds.rest import RestGuildDirectory
from bongsu_bot.messages.models import SentMessage
from bongsu_bot.messages.service import WAITING_PER_CHANNEL
from bongsu_bot.shards.runner import Runner
from bongsu_sandbox.discord.guilds.models import direct_channel_id
from services.bot.tests.actors import make_actor
from services.bot.tests.conftest import StartBot
from services.bot.tests.discord import BEACON_HILL, EMMA, HANEUL, JAMES, MINJI, SEOUL_DEVELOPERS, Discord
from tests.eventually import eventually

CHANNEL = SEOUL_DEVELOPERS + 11
DEADLINE_S = 30.0


def message(nonce: str = "nonce-1", **fields: Any) -> SendMessageRequest:  # noqa: ANN401 - of the request
    return SendMessageRequest(nonce=nonce, **({"channel_id": CHANNEL, "text": "봉수"} | fields))


async def refused(broker: MemoryBroker, request: Any) -> str:  # noqa: ANN401 - any request
    with pytest.raises(RpcError) as caught:
        await ask(broker, request, deadline_s=DEADLINE_S)
    return caught.value.code


@pytest.fixture
async def dashboard(broker: MemoryBroker) -> AsyncIterator[MemoryBroker]:
    """The connection of another service to the same broker."""
    connection = MemoryBroker(broker.hub, user="dashboard")
    await connection.connect()
    yield connection
    await connection.close()


@pytest.mark.usefixtures("bot")
class TestSendMessage:
    async def test_message_is_posted_without_mentions(self, discord: Discord, broker: MemoryBroker) -> None:
        embed = {"title": "제목", "description": "내용"}
        request = message(text="@everyone <@1> 봉수", embed=embed)
        sent = await ask(broker, request, deadline_s=DEADLINE_S)
        (posted,) = await discord.messages(CHANNEL)
        assert (posted["id"], posted["content"]) == (str(sent.message_id), "@everyone <@1> 봉수")
        assert posted["embeds"][0]["title"] == "제목"
        assert posted["mention_everyone"] is False

    async def test_repeated_request_posts_nothing_and_returns_the_same_message(
        self, discord: Discord, broker: MemoryBroker
    ) -> None:
        first, second = await asyncio.gather(
            ask(broker, message(), deadline_s=DEADLINE_S), ask(broker, message(), deadline_s=DEADLINE_S)
        )
        third = await ask(broker, message(), deadline_s=DEADLINE_S)
        assert first == second == third
        assert len(await discord.messages(CHANNEL)) == 1

    async def test_request_of_another_broker_user_posts_nothing(
        self, discord: Discord, dashboard: MemoryBroker
    ) -> None:
        assert await refused(dashboard, message()) == "sender_refused"
        actor = uuid7()
        assert await refused(dashboard, ChannelAuthorityRequest(channel_id=CHANNEL, user_id=actor)) == "sender_refused"
        assert await refused(dashboard, GuildAuthorityRequest(guild_id=1, user_id=actor)) == "sender_refused"
        assert await discord.messages(CHANNEL) == []

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"channel_id": 1}, "channel_not_found"),
            ({"channel_id": BEACON_HILL + 11}, "permission_missing"),
            ({"text": None}, "message_refused"),
            ({"channel_id": None, "user_id": UUID(int=1)}, "not_linked"),
        ],
    )
    async def test_permanent_error_has_its_code(self, broker: MemoryBroker, fields: dict[str, Any], code: str) -> None:
        assert await refused(broker, message(**fields)) == code

    async def test_message_reaches_a_linked_user(self, discord: Discord, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, JAMES)
        sent = await ask(broker, message(channel_id=None, user_id=actor.user_id), deadline_s=DEADLINE_S)
        assert sent.channel_id == direct_channel_id(JAMES)
        assert [one["content"] for one in await discord.messages(direct_channel_id(JAMES))] == ["봉수"]

    async def test_user_without_a_common_guild_is_unreachable(self, broker: MemoryBroker, vault: Vault) -> None:
        actor = await make_actor(vault, EMMA)
        assert await refused(broker, message(channel_id=None, user_id=actor.user_id)) == "recipient_unreachable"

    async def test_message_on_behalf_of_a_user_needs_their_authority(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        member, manager = await make_actor(vault, JAMES), await make_actor(vault, MINJI)
        assert await refused(broker, message(on_behalf_of=member.user_id)) == "forbidden"
        assert await refused(broker, message(on_behalf_of=uuid7())) == "not_linked"
        assert await discord.messages(CHANNEL) == []
        await ask(broker, message(on_behalf_of=manager.user_id), deadline_s=DEADLINE_S)
        assert len(await discord.messages(CHANNEL)) == 1

    async def test_dropped_connection_is_an_unknown_outcome_and_the_retry_posts_nothing(
        self, discord: Discord, broker: MemoryBroker
    ) -> None:
        route = {"route": f"/channels/{CHANNEL}/messages"}
        await discord.fault("discord", "accept_then_reset", detail=route)
        assert await refused(broker, message()) == "outcome_unknown"
        await discord.sandbox.clear_faults()
        await ask(broker, message(), deadline_s=DEADLINE_S)
        assert len(await discord.messages(CHANNEL)) == 1

    async def test_message_waits_while_discord_refuses_the_token(
        self, discord: Discord, broker: MemoryBroker, vault: Vault
    ) -> None:
        actor = await make_actor(vault, JAMES)
        for route, one in (
            (f"/channels/{CHANNEL}/messages", message()),
            ("/users/@me/channels", message(channel_id=None, user_id=actor.user_id)),
        ):
            await discord.fault("discord", "error", detail={"route": route, "status": "401"})
            assert await refused(broker, one) == "bot_not_ready"

    async def test_message_waits_while_the_database_is_unavailable(
        self, discord: Discord, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_nonce: str) -> None:
            raise OperationalError("SELECT", {}, Exception("gone away"))

        monkeypatch.setattr("bongsu_bot.messages.service._find", fail)
        assert await refused(broker, message()) == "bot_not_ready"
        assert await discord.messages(CHANNEL) == []

    async def test_authority_is_checked_for_few_messages_of_a_channel_concurrently(
        self, discord: Discord, broker: MemoryBroker, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manager, answers, get_channel = await make_actor(vault, MINJI), asyncio.Event(), RestGuildDirectory.get_channel

        async def wait(directory: RestGuildDirectory, channel_id: int) -> ChannelInfo:
            await answers.wait()
            return await get_channel(directory, channel_id)

        monkeypatch.setattr(RestGuildDirectory, "get_channel", wait)
        requests = [message(f"n-{n}", on_behalf_of=manager.user_id) for n in range(WAITING_PER_CHANNEL + 3)]
        waiting = [asyncio.create_task(ask(broker, one, deadline_s=DEADLINE_S)) for one in requests]
        await eventually(lambda: sum(task.done() for task in waiting) == 3)
        answers.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one.code for one in outcomes if isinstance(one, RpcError)] == ["channel_busy"] * 3
        assert len(await discord.messages(CHANNEL)) == WAITING_PER_CHANNEL

    async def test_message_is_recorded_when_the_deadline_passes(self, discord: Discord, broker: MemoryBroker) -> None:
        await discord.limits(messages=1, messages_per_s=2.0)
        await ask(broker, message("nonce-0"), deadline_s=DEADLINE_S)
        with contextlib.suppress(RpcTimeout):
            await ask(broker, message(), deadline_s=0.5)  # it waits for the rate limit, beyond its deadline
        await ask(broker, message(), deadline_s=DEADLINE_S)
        assert len(await discord.messages(CHANNEL)) == 2
        await eventually(SentMessage.filter_by(nonce="nonce-1").exists)

    async def test_messages_beyond_the_rate_of_a_channel_are_put_back(
        self, discord: Discord, broker: MemoryBroker
    ) -> None:
        await discord.limits(messages=1, messages_per_s=1.0)
        requests = [ask(broker, message(f"n-{n}"), deadline_s=DEADLINE_S) for n in range(8)]
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
        codes = [one.code for one in outcomes if isinstance(one, RpcError)]
        assert codes == ["channel_busy"] * len(codes)
        assert codes
        assert len(await discord.messages(CHANNEL)) == 8 - len(codes)


class TestQueues:
    async def test_messages_that_wait_for_a_rate_limit_delay_no_other_request(
        self, bot: Runner, discord: Discord, broker: MemoryBroker
    ) -> None:
        del bot
        await discord.limits(messages=1, messages_per_s=30.0)
        channels = [CHANNEL, CHANNEL + 1]
        waiting = [
            asyncio.create_task(
                ask(broker, message(f"n-{channel}-{n}"[:25], channel_id=channel), deadline_s=120, queue=BOT_MESSAGES)
            )
            for channel in channels
            for n in range(20)
        ]
        answer = await ask(broker, GuildListRequest(), deadline_s=DEADLINE_S)
        assert not all(task.done() for task in waiting)
        assert answer.next is None
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class TestAuthority:
    async def test_manager_of_the_channel_is_found_and_others_are_refused(
        self, bot: Runner, broker: MemoryBroker, vault: Vault
    ) -> None:
        del bot
        owner, member = await make_actor(vault, HANEUL), await make_actor(vault, JAMES)
        found = await ask(
            broker, ChannelAuthorityRequest(channel_id=CHANNEL, user_id=owner.user_id), deadline_s=DEADLINE_S
        )
        assert (found.guild_id, found.channel_name) == (SEOUL_DEVELOPERS, "공지")
        for channel_id, user_id, code in (
            (CHANNEL, member.user_id, "forbidden"),
            (CHANNEL, uuid7(), "not_linked"),
            (1, owner.user_id, "channel_not_found"),
            (BEACON_HILL + 11, owner.user_id, "channel_not_found"),
            (direct_channel_id(HANEUL), owner.user_id, "channel_not_found"),
        ):
            assert await refused(broker, ChannelAuthorityRequest(channel_id=channel_id, user_id=user_id)) == code
        guild = await ask(
            broker, GuildAuthorityRequest(guild_id=SEOUL_DEVELOPERS, user_id=owner.user_id), deadline_s=DEADLINE_S
        )
        assert guild.guild_name == "서울 개발자 모임"
        assert await refused(broker, GuildAuthorityRequest(guild_id=BEACON_HILL, user_id=owner.user_id)) == (
            "guild_not_found"
        )

    async def test_message_is_recorded_when_the_bot_stops(
        self, start_bot: StartBot, discord: Discord, broker: MemoryBroker
    ) -> None:
        async with start_bot():
            await ask(broker, message(), deadline_s=DEADLINE_S)
        async with start_bot():
            await ask(broker, message(), deadline_s=DEADLINE_S)
        await eventually(SentMessage.filter_by(nonce="nonce-1").exists)
        assert len(await discord.messages(CHANNEL)) == 1
