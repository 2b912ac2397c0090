"""Asks the bot who manages a channel or a server."""

import time
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

from bongsu.broker import Broker, BrokerError, RpcError
from bongsu.broker.requests import ask
from bongsu.contracts.rpc import (
    ChannelAuthority,
    ChannelAuthorityRequest,
    GuildAuthority,
    GuildAuthorityRequest,
    RpcAnswer,
    RpcRequest,
)
from bongsu.runtime.logging import get_logger
from bongsu_notify.errors import BotUnavailable, ChannelNotAllowed

log = get_logger(__name__)
Answer = TypeVar("Answer", bound=RpcAnswer)

REFUSALS: Final = {
    "forbidden": "You need the Manage Server permission in the channel's server",
    "not_linked": "Link your Discord account first",
    "channel_not_found": "The bot does not see this channel",
    "guild_not_found": "The bot is not in this server",
}
REMEMBERED_S: Final = 5.0
"""How long an answer stands: as long as a revocation may take."""
_MAX_REMEMBERED = 1000


class Authority:
    """Checks authority at Discord, through the bot.

    :param broker: None in a process without one: no check is possible.
    :param now: a clock, in seconds.
    """

    def __init__(
        self, broker: Broker | None, *, timeout_s: float = 5.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._broker = broker
        self._timeout_s = timeout_s
        self._now = now
        self._known: dict[tuple[UUID, int], tuple[float, ChannelAuthority]] = {}

    async def require_channel(self, user_id: UUID, channel_id: int) -> ChannelAuthority:
        """Return a channel whose server the user manages.

        :raises ChannelNotAllowed: the user does not manage it, or the bot does not see it.
        :raises BotUnavailable: the bot does not answer.
        """
        known = self._known.get((user_id, channel_id))
        if known is not None and known[0] > self._now():
            return known[1]
        found = await self._ask(ChannelAuthorityRequest(channel_id=channel_id, user_id=user_id))
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[user_id, channel_id] = (self._now() + REMEMBERED_S, found)
        return found

    async def require_guild(self, user_id: UUID, guild_id: int) -> GuildAuthority:
        """Return a server that the user manages.

        :raises ChannelNotAllowed, BotUnavailable: as `require_channel`.
        """
        return await self._ask(GuildAuthorityRequest(guild_id=guild_id, user_id=user_id))

    async def _ask(self, request: RpcRequest[Answer]) -> Answer:
        if self._broker is None:
            raise BotUnavailable
        try:
            return await ask(self._broker, request, deadline_s=self._timeout_s)
        except RpcError as error:
            if error.code in REFUSALS:
                raise ChannelNotAllowed(REFUSALS[error.code]) from error
            log.warning("bot.authority_unknown", code=error.code)
            raise BotUnavailable from error
        except BrokerError as error:
            log.warning("bot.unreachable", error=type(error).__name__)
            raise BotUnavailable from error
