"""What sending needs of Discord."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue


class DiscordMessages(Protocol):
    """Messages at Discord. Each method raises Unavailable where Discord certainly has not acted, and may later."""

    async def open_direct(self, discord_user_id: int) -> int:
        """Return the channel of the direct messages with a user.

        :raises RecipientUnreachable: there is no such user.
        """

    async def post(
        self, channel_id: int, *, nonce: str, text: str | None, embed: Mapping[str, JsonValue] | None
    ) -> int:
        """Post a message, and return its ID. A nonce of the last minutes returns the ID of its message.

        :raises ChannelNotFound: the channel does not exist.
        :raises PermissionMissing: the bot may not write there.
        :raises RecipientUnreachable: the user accepts no direct messages.
        :raises MessageRefused: Discord does not accept the content.
        :raises ChannelBusy: Discord's rate limit of the channel is exceeded.
        :raises OutcomeUnknown: the request was sent, and no usable answer came.
        """
