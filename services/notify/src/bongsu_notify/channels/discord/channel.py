"""The Discord channel: who may post where, and how a message is made of a row."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from bongsu.broker import Broker
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.channels.channel import Channel, Content
from bongsu_notify.channels.discord.authority import Authority
from bongsu_notify.channels.discord.message import GUILD, SUBSCRIPTION, DiscordMessage
from bongsu_notify.channels.discord.provider import DiscordProvider
from bongsu_notify.channels.discord.schemas import DiscordNotificationIn
from bongsu_notify.channels.port import Provider, Refused
from bongsu_notify.errors import BotUnavailable, RecipientNotAllowed
from bongsu_notify.notifications.claimed import Deliverable
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.settings import NotifySettings
from bongsu_notify.subscriptions.service import find_for_channel

AUTHORITY_STANDS_FOR: Final = timedelta(seconds=60)
"""The bot checks the authority again for a notification that is sent later than this, by a retry for example."""


class DiscordChannel(Channel[DiscordNotificationIn]):
    """The bot posts the messages: it has the token and the rate limits."""

    name = "discord"
    request = DiscordNotificationIn

    def __init__(self, settings: NotifySettings, broker: Broker | None = None, auth: AuthClient | None = None) -> None:
        super().__init__(settings, broker, auth)
        self._authority = Authority(broker)

    def check(self, request: DiscordNotificationIn) -> None:
        """Every request that is well-formed is allowed by the settings."""

    def is_to_self(self, request: DiscordNotificationIn, user: User) -> bool:
        return request.to.user_id == user.id

    async def authorise(self, request: DiscordNotificationIn, principal: Principal) -> Mapping[str, object]:
        """Check that the principal may post there, and return by which authority.

        While the bot does not answer, and for a later send time, the bot checks it when it posts the message.

        :raises ChannelNotAllowed: the principal does not manage the channel's server, which has not subscribed.
        :raises RecipientNotAllowed: a direct message to another user.
        """
        to = request.to
        if to.topic is not None or principal.mode == "test":
            return {}
        if to.user_id is not None:
            if to.user_id != principal.user_id and not principal.may_message_anyone:
                raise RecipientNotAllowed
            return {}
        channel_id = int(to.channel_id or 0)
        subscription = await find_for_channel(principal.user_id, request.topic, channel_id)
        if subscription is not None:
            return {"sender": f"{SUBSCRIPTION}:{subscription.id}"}
        try:
            found = await self._authority.require_channel(principal.user_id, channel_id)
        except BotUnavailable:
            return {}
        return {"sender": f"{GUILD}:{found.guild_id}"} if request.send_at is None else {}

    def columns(self, request: DiscordNotificationIn) -> Mapping[str, object]:
        embed = request.content.embed
        return {
            "recipient": request.recipient,
            "to": request.to.model_dump(mode="json", exclude_none=True),
            "subject": embed.title if embed is not None else None,
            "content": request.content.model_dump(exclude_none=True),
            "topic": request.topic or request.to.topic,
        }

    def render(self, row: Deliverable, content: Content, vault: Vault) -> DiscordMessage | Refused:
        del vault  # no templates yet
        channel_id, user_id = row.to.get("channel_id"), row.to.get("user_id")
        kind, _, authority_id = (row.sender or "").partition(":")
        is_late = row.updated_at - row.created_at > AUTHORITY_STANDS_FOR  # claimed, and so updated, a moment ago
        is_unchecked = not kind or (kind == GUILD and is_late)
        return DiscordMessage(
            notification_id=row.id,
            attempt=row.attempt,
            recipient=row.recipient,
            channel_id=int(channel_id) if channel_id is not None else None,
            to_user_id=UUID(user_id) if user_id is not None else None,
            topic=row.to.get("topic"),
            unchecked_user_id=row.user_id if channel_id is not None and is_unchecked else None,
            subscription_id=UUID(authority_id) if kind == SUBSCRIPTION else None,
            guild_id=int(authority_id) if kind == GUILD else None,
            content=content.parts,
            row=row,
        )

    def create_provider(self) -> Provider[DiscordMessage]:
        return DiscordProvider(self.settings, self.broker)
