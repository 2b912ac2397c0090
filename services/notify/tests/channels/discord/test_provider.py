"""The outcome of each answer of the bot."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from bongsu.broker import JsonObject, Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.queues import BOT_MESSAGES
from bongsu.identity.models import User
from bongsu.mixins import Database, uuid7
from bongsu_notify.channels.discord.message import DiscordMessage
from bongsu_notify.channels.discord.provider import DiscordProvider, nonce_of
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from bongsu_notify.subscriptions.models import Subscription
from services.notify.tests.channels.discord.bot import CHANNEL, MESSAGE, Bot, serving

ID = UUID("0197c2a4-1f00-7000-8000-000000000000")


def message(**values: object) -> DiscordMessage:
    given: dict[str, object] = {
        "notification_id": ID,
        "attempt": 1,
        "recipient": str(CHANNEL),
        "channel_id": CHANNEL,
        "to_user_id": None,
        "topic": None,
        "unchecked_user_id": None,
        "subscription_id": None,
        "guild_id": None,
        "content": {"text": "봉수", "embed": {"title": "제목"}},
        "row": Notification(),
    }
    return DiscordMessage(**(given | values))  # type: ignore[arg-type]  # of any field


async def send(broker: MemoryBroker | None, one: DiscordMessage | None = None, timeout_s: float = 10.0) -> Outcome:
    (outcome,) = await DiscordProvider(NotifySettings(send_timeout_s=timeout_s), broker).send([one or message()])
    return outcome


class TestSend:
    async def test_message_is_delivered_when_the_bot_confirms(self, broker: MemoryBroker) -> None:
        async with serving(broker, Bot()) as bot:
            assert await send(broker) == Sent(str(MESSAGE), "delivered")
        (request,) = bot.sent
        assert (request["channel_id"], request["text"], request["embed"]) == (str(CHANNEL), "봉수", {"title": "제목"})
        assert request["nonce"] == nonce_of(ID) == "AZfCpB8AcACAAAAAAAAAAA"
        assert "on_behalf_of" not in request

    async def test_bot_checks_the_authority_that_notify_has_not_checked(self, broker: MemoryBroker) -> None:
        user_id = uuid7()
        async with serving(broker, Bot()) as bot:
            await send(broker, message(unchecked_user_id=user_id))
        assert bot.sent[0]["on_behalf_of"] == str(user_id)

    @pytest.mark.parametrize(
        "code", ["channel_not_found", "forbidden", "message_refused", "permission_missing", "recipient_unreachable"]
    )
    async def test_permanent_error_fails(self, broker: MemoryBroker, code: str) -> None:
        async with serving(broker, Bot(error=code)):
            assert isinstance(outcome := await send(broker), Refused)
        assert outcome.code == code

    @pytest.mark.parametrize("code", ["bot_not_ready", "discord_unavailable", "channel_busy", "sender_refused"])
    async def test_passing_error_is_retried_without_spending_an_attempt(self, broker: MemoryBroker, code: str) -> None:
        async with serving(broker, Bot(error=code)):
            assert isinstance(outcome := await send(broker), TryLater)
        assert (outcome.code, outcome.spends_attempt) == (code, False)

    @pytest.mark.parametrize("code", ["outcome_unknown", "internal", "a code of a later version"])
    async def test_error_that_may_come_after_the_post_is_an_unknown_outcome(
        self, broker: MemoryBroker, code: str
    ) -> None:
        async with serving(broker, Bot(error=code)):
            assert isinstance(await send(broker), OutcomeUnknown)

    async def test_message_waits_while_no_bot_runs(self, broker: MemoryBroker) -> None:
        assert isinstance(outcome := await send(broker), TryLater)
        assert (outcome.code, outcome.spends_attempt) == ("bot_unavailable", False)

    async def test_message_waits_while_the_broker_is_unavailable(self, broker: MemoryBroker) -> None:
        await broker.close()
        assert isinstance(outcome := await send(broker), TryLater)
        assert (outcome.code, outcome.spends_attempt) == ("broker_unavailable", False)

    async def test_message_waits_while_the_database_is_unavailable(
        self, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_id: UUID) -> None:
            raise OperationalError("SELECT", {}, Exception("gone away"))

        monkeypatch.setattr(Subscription, "get_or_none", fail)
        async with serving(broker, Bot()) as bot:
            assert isinstance(outcome := await send(broker, message(subscription_id=ID)), TryLater)
        assert (outcome.code, outcome.spends_attempt, bot.requests) == ("database_unavailable", False, [])

    async def test_request_without_an_answer_is_an_unknown_outcome(self, broker: MemoryBroker) -> None:
        async def hang(_message: Message) -> JsonObject:
            await asyncio.get_running_loop().create_future()
            return {}

        consumer = await broker.serve(BOT_MESSAGES, hang)
        assert isinstance(await send(broker, timeout_s=0.05), OutcomeUnknown)
        await consumer.cancel(drain_s=0)

    async def test_message_of_a_removed_subscription_is_not_sent(
        self, database: Database, broker: MemoryBroker
    ) -> None:
        del database
        async with serving(broker, Bot()) as bot:
            assert isinstance(outcome := await send(broker, message(subscription_id=uuid7())), Refused)
        assert (outcome.code, bot.requests) == ("unsubscribed", [])

    @pytest.mark.parametrize(("facts", "sends"), [({"role": "staff"}, True), ({"role": "user"}, False), ({}, False)])
    async def test_direct_message_to_another_user_needs_a_sender_who_is_staff_now(
        self, database: Database, broker: MemoryBroker, facts: dict[str, str], sends: bool
    ) -> None:
        del database
        sender_id = (await User(status="active", **facts).save()).id if facts else uuid7()
        one = message(channel_id=None, to_user_id=uuid7(), row=Notification(user_id=sender_id))
        async with serving(broker, Bot()) as bot:
            outcome = await send(broker, one)
        assert len(bot.sent) == sends
        assert sends or (isinstance(outcome, Refused) and outcome.code == "forbidden")
