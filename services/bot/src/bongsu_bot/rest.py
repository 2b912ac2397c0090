"""Discord's REST API with the bot's token: for removals and lookups, whatever the gateway does."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp
import discord
from discord.http import HTTPClient, Route

from bongsu_bot.errors import BotNotReady, DiscordUnavailable
from bongsu_bot.request_rate import RequestRate
from bongsu_bot.settings import BotSettings

T = TypeVar("T")
UNAUTHORIZED: Final = 401
_REFUSAL: Final = "Discord refuses the bot's token"
CONNECTION_ERRORS: Final = (OSError, aiohttp.ClientError, TimeoutError)


def use_api(url: str) -> None:
    """Send py-cord's requests to this API. There is one API a process: py-cord keeps it in a class attribute."""
    Route.API_BASE_URL = f"{url}/v{{API_VERSION}}"


class RestClient:
    """py-cord's HTTP client, which keeps to the rate limits. The first call logs in; `async with` closes it."""

    def __init__(self, settings: BotSettings, rate: RequestRate) -> None:
        use_api(settings.api_url)
        self._token = settings.token
        self._rate = rate
        self._http: HTTPClient | None = None
        self._login = asyncio.Lock()
        self._abandoned: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        for task in self._abandoned:
            task.cancel()
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def call(self, request: Callable[[HTTPClient], Awaitable[T]]) -> T:
        """Send a request.

        :raises discord.HTTPException: Discord answers with an error.
        :raises BotNotReady: the token is missing or refused.
        :raises DiscordUnavailable: Discord does not answer.
        """
        try:
            async with self._login:
                http = self._http = self._http or await self._log_in()
            return await self._send(http, request)
        except discord.HTTPException as error:
            if error.status == UNAUTHORIZED:
                raise BotNotReady(_REFUSAL) from error
            raise
        except discord.LoginFailure as error:
            raise BotNotReady(_REFUSAL) from error
        except CONNECTION_ERRORS as error:
            raise DiscordUnavailable from error

    async def _send(self, http: HTTPClient, request: Callable[[HTTPClient], Awaitable[T]]) -> T:
        """Send a request; if this is cancelled, cancel the request once no global rate limit holds.

        py-cord 2.8 lets no request pass until the one that met the global limit has waited for its end: if that one is
        cancelled, none passes any more. Remove this when `HTTPClient.request` sets `_global_over` in a `finally`.
        """
        sending = asyncio.ensure_future(request(http))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            abandoned = asyncio.create_task(_cancel_after_limit(http, sending), name="cancel request to Discord")
            self._abandoned.add(abandoned)
            abandoned.add_done_callback(self._abandoned.discard)
            raise

    async def _log_in(self) -> HTTPClient:
        if self._token is None:
            raise BotNotReady("The bot has no token")
        http = self._rate.limit(HTTPClient(loop=asyncio.get_running_loop()))
        try:
            await http.static_login(self._token.get_secret_value())
        except BaseException:
            await http.close()
            raise
        return http


async def _cancel_after_limit(http: HTTPClient, sending: asyncio.Future[T]) -> None:
    try:
        await http._global_over.wait()  # noqa: SLF001 - as `_send` says
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
