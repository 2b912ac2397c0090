"""`SubscriptionClient` over notify's HTTP API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from bongsu.runtime.errors import Conflict, Forbidden, NotFound, Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import BotSilent, ChannelNotWritable, TooManySubscriptions, TopicOwnerUnknown
from bongsu_dashboard.guild_modules.port import Subscription
from bongsu_dashboard.upstream import Received, Upstream

MAX_OF_GUILD: Final = 200
"""More than a server may have."""
_PATH: Final = "/v1/subscriptions"


class _Page(Received):
    items: list[Subscription]


class HttpSubscriptionClient:
    """The adapter of `SubscriptionClient`."""

    def __init__(self, notify: Upstream) -> None:
        self._notify = notify

    async def list_of_guild(self, browser: Browser, guild_id: int) -> list[Subscription]:
        query = {"guild_id": str(guild_id), "limit": str(MAX_OF_GUILD)}
        with _naming_the_bot():
            return (await self._notify.call(browser, "GET", _PATH, query=query)).parse(_Page).items

    async def subscribe(
        self, browser: Browser, *, guild_id: int, channel_id: str, topic: str, owner: UUID | None
    ) -> None:
        body: dict[str, JsonValue] = {"topic": topic, "guild_id": str(guild_id), "channel_id": channel_id}
        if owner is not None:
            body["owner"] = str(owner)
        try:
            with _naming_the_bot():
                await self._notify.call(browser, "POST", _PATH, body=body)
        except Forbidden as error:
            raise ChannelNotWritable from error
        except NotFound as error:
            raise TopicOwnerUnknown from error
        except Conflict as error:
            raise TooManySubscriptions from error

    async def unsubscribe(self, browser: Browser, subscription_id: UUID) -> None:
        try:
            with _naming_the_bot():
                await self._notify.call(browser, "DELETE", f"{_PATH}/{subscription_id}")
        except NotFound:
            return


@contextmanager
def _naming_the_bot() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        if error.code == "bot_unavailable":
            raise BotSilent from error
        raise
