"""The provider of Discord messages: the bot, over the broker."""

from typing import Final
from uuid import UUID

from pydantic import JsonValue, TypeAdapter
from sqlalchemy.exc import SQLAlchemyError

from bongsu.broker import Broker, BrokerError, RpcError, Unroutable
from bongsu.broker.requests import ask
from bongsu.contracts.queues import BOT_MESSAGES
from bongsu.contracts.rpc import SendMessageRequest
from bongsu.identity import base64url
from bongsu.mixins import MixinError
from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.discord.message import DiscordMessage
from bongsu_notify.channels.discord.relaying import relay
from bongsu_notify.channels.port import OneByOne, Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.channels.recipients import may_message
from bongsu_notify.settings import NotifySettings
from bongsu_notify.subscriptions.models import Subscription

log = get_logger(__name__)

PERMANENT: Final = frozenset(
    {
        "channel_not_found",
        "forbidden",
        "guild_not_found",
        "invalid_request",
        "message_refused",
        "not_linked",
        "permission_missing",
        "recipient_unreachable",
    }
)
"""Codes of the bot after which a repetition fails as well, until a setting at Discord changes."""
PASSING: Final = frozenset(
    {"bot_not_ready", "channel_busy", "discord_unavailable", "sender_refused", "shard_unavailable"}
)
"""Codes of the bot that say nothing about the message: they spend no attempt."""
BUSY_DELAY_S: Final = 5.0
AWAY_DELAY_S: Final = 2.0
_JSON: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


class DiscordProvider(OneByOne[DiscordMessage]):
    """Sends messages by the bot's RPC method `send_message`.

    :param broker: None in a process without one: every message waits.
    """

    max_rate: float | None = None

    def __init__(self, settings: NotifySettings, broker: Broker | None) -> None:
        self._timeout_s = settings.send_timeout_s
        self._broker = broker
        self._is_refused = False

    async def open(self) -> None:
        """Nothing to open: the broker is connected already."""

    async def is_ready(self) -> bool:
        """False while the bot refuses notify's broker user."""
        return not self._is_refused

    async def send_one(self, message: DiscordMessage) -> Outcome:
        """Post a message, or relay one to the subscribers of its topic."""
        try:
            return await self._send(message)
        except (SQLAlchemyError, MixinError, OSError) as error:
            # Nothing was posted: the bot is asked after the last read. A relay that was committed is found again.
            log.warning("discord.database_unavailable", error=type(error).__name__)
            return TryLater("database_unavailable", "The database does not answer", AWAY_DELAY_S, spends_attempt=False)

    async def _send(self, message: DiscordMessage) -> Outcome:
        if message.topic is not None:
            return await relay(message.row, message.topic, message.content)
        if message.to_user_id is not None and not await may_message(message.row.user_id, message.to_user_id):
            return Refused("forbidden", "Only staff may send direct messages to other users")
        guild_id = message.guild_id
        if message.subscription_id is not None:
            subscription = await Subscription.get_or_none(message.subscription_id)
            if subscription is None:
                return Refused("unsubscribed", "The server unsubscribed from the topic")
            guild_id = subscription.guild_id
        if self._broker is None or not self._broker.connected:
            return TryLater("broker_unavailable", "The broker does not answer", AWAY_DELAY_S, spends_attempt=False)
        return await self._post(self._broker, _build(message, guild_id))

    async def _post(self, broker: Broker, request: SendMessageRequest) -> Outcome:
        try:
            sent = await ask(broker, request, deadline_s=self._timeout_s, queue=BOT_MESSAGES)
        except Unroutable:
            return TryLater("bot_unavailable", "The bot does not run", AWAY_DELAY_S, spends_attempt=False)
        except RpcError as error:
            self._is_refused = error.code == "sender_refused"
            return _read(error)
        except BrokerError as error:
            # No answer in time, or the connection was lost before it: the bot may be posting the message.
            return OutcomeUnknown(f"The bot did not answer: {type(error).__name__}")
        self._is_refused = False
        return Sent(str(sent.message_id), "delivered")

    async def close(self) -> None:
        """Nothing to close."""


def _build(message: DiscordMessage, guild_id: int | None) -> SendMessageRequest:
    content = _JSON.validate_python(dict(message.content))
    text, embed = content.get("text"), content.get("embed")
    return SendMessageRequest(
        channel_id=message.channel_id,
        user_id=message.to_user_id,
        guild_id=guild_id,
        on_behalf_of=message.unchecked_user_id,
        nonce=nonce_of(message.notification_id),
        text=text if isinstance(text, str) else None,
        embed=embed if isinstance(embed, dict) else None,
    )


def nonce_of(notification_id: UUID) -> str:
    """The nonce of a notification, in Discord's 25 characters: its ID in base64url."""
    return base64url.encode(notification_id.bytes)


def _read(error: RpcError) -> Outcome:
    if error.code in PERMANENT:
        return Refused(error.code, error.detail)
    if error.code in PASSING:
        delay_s = BUSY_DELAY_S if error.code == "channel_busy" else AWAY_DELAY_S
        if error.code == "sender_refused":
            log.error("discord.sender_refused", hint="BOT_NOTIFY_USER must name notify's RabbitMQ user")
        return TryLater(error.code, error.detail, delay_s, spends_attempt=False)
    if error.code == "unknown_method":
        # During an upgrade a newer bot may have the method.
        return TryLater(error.code, error.detail)
    return OutcomeUnknown(f"{error.code}: {error.detail}")
