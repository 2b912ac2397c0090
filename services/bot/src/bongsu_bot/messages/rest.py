"""Messages over Discord's REST API."""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import discord
from discord.http import HTTPClient
from pydantic import JsonValue

from bongsu.runtime.errors import ServiceError
from bongsu_bot.errors import (
    ChannelBusy,
    ChannelNotFound,
    DiscordUnavailable,
    MessageRefused,
    OutcomeUnknown,
    PermissionMissing,
    RecipientUnreachable,
)
from bongsu_bot.rest import RestClient

UNKNOWN_CHANNEL: Final = 10003
UNKNOWN_USER: Final = 10013
MISSING_ACCESS: Final = 50001
CANNOT_MESSAGE_USER: Final = 50007
MISSING_PERMISSIONS: Final = 50013
ERRORS: Final[Mapping[int, type[ServiceError]]] = {
    UNKNOWN_CHANNEL: ChannelNotFound,
    UNKNOWN_USER: RecipientUnreachable,
    MISSING_ACCESS: PermissionMissing,
    CANNOT_MESSAGE_USER: RecipientUnreachable,
    MISSING_PERMISSIONS: PermissionMissing,
}


class RestMessages:
    """Implements `DiscordMessages`."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def open_direct(self, discord_user_id: int) -> int:
        try:
            channel = await self._rest.call(lambda http: http.start_private_message(discord_user_id))
        except discord.HTTPException as error:
            if error.status < 500 and error.status != 429:
                raise RecipientUnreachable from error
            raise DiscordUnavailable(f"Discord answered with status {error.status}") from error
        return int(channel["id"])

    async def post(
        self, channel_id: int, *, nonce: str, text: str | None, embed: Mapping[str, JsonValue] | None
    ) -> int:
        embeds: Any = None if embed is None else [embed]  # py-cord's type has more keys than are sent

        async def send(http: HTTPClient) -> Mapping[str, Any]:
            no_mentions = discord.AllowedMentions.none().to_dict()
            return await http.send_message(
                channel_id, text, embeds=embeds, nonce=nonce, enforce_nonce=True, allowed_mentions=no_mentions
            )

        try:
            message = await self._rest.call(send)
        except discord.HTTPException as error:
            raise _read_error(error) from error
        except DiscordUnavailable as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise  # no connection, so nothing was sent
            raise OutcomeUnknown from error
        return int(message["id"])


def _read_error(error: discord.HTTPException) -> ServiceError:
    if error.status == 429:
        return ChannelBusy()
    if error.status >= 500:
        return OutcomeUnknown(f"Discord answered with status {error.status}")
    kind = ERRORS.get(error.code)
    return kind() if kind is not None else MessageRefused(f"Discord refused the message: {error.text}"[:400])
