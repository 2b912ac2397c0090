"""Discord's limit of requests to its REST API, which all processes of the bot share."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from discord.http import HTTPClient, Route

REQUESTS_PER_S: Final = 48
"""Discord takes 50 of a bot; answers to interactions are not counted."""
PERIOD_S: Final = 1.0


class RequestRate:
    """Delays this process's requests: at most its share of the limit starts in any second.

    A process that starts is counted by the others when they renew their leases. Until then Discord may answer some
    requests with 429, which py-cord waits out.

    :param count_processes: the number of the bot's processes.
    """

    def __init__(self, count_processes: Callable[[], int]) -> None:
        self._count_processes = count_processes
        self._started: deque[float] = deque(maxlen=REQUESTS_PER_S)
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until another request may start; the requests start in the order of their calls."""
        async with self._turn:
            share = max(1, REQUESTS_PER_S // max(1, self._count_processes()))
            now = asyncio.get_running_loop().time()
            if len(self._started) >= share:
                await asyncio.sleep(self._started[-share] + PERIOD_S - now)
                now = asyncio.get_running_loop().time()
            self._started.append(now)

    def limit(self, http: HTTPClient) -> HTTPClient:
        """Delay the requests of a client, and return it."""
        http.request = partial(self._request, http.request)  # type: ignore[method-assign]  # py-cord has no hook
        return http

    async def _request(self, request: Callable[..., Any], route: Route, **parts: Any) -> Any:  # noqa: ANN401 - py-cord's
        await self.wait()
        return await request(route, **parts)
