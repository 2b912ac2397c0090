"""The guilds to which this browser added the bot a moment ago, kept in a cookie until the bot has joined.

The cookie only changes what its own browser shows.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from fastapi import Response

from bongsu_dashboard.pages.rendering import Render

MAX_GUILDS: Final = 10
_ENTRY: Final = re.compile(r"[0-9]{1,20}-[0-9]{1,12}")


class PendingInstalls:
    """Reads and writes the cookie.

    :param wait_s: how long a guild is pending.
    """

    def __init__(self, wait_s: int, *, now: Callable[[], float] = time.time) -> None:
        self._wait_s = wait_s
        self._now = now

    def guild_ids(self, render: Render) -> frozenset[int]:
        return frozenset(self._read(render))

    def add(self, render: Render, response: Response, guild_id: int) -> Response:
        return self._write(render, response, self._read(render) | {guild_id: int(self._now())})

    def remove(self, render: Render, response: Response, *guild_ids: int) -> Response:
        installs = {guild_id: at for guild_id, at in self._read(render).items() if guild_id not in guild_ids}
        return self._write(render, response, installs)

    def _read(self, render: Render) -> dict[int, int]:
        return self.parse(render.request.cookies.get(render.pages.cookies.pending))

    def _write(self, render: Render, response: Response, installs: Mapping[int, int]) -> Response:
        cookies = render.pages.cookies
        cookies.set(response, cookies.pending, serialise(installs), max_age_s=self._wait_s)
        return response

    def parse(self, cookie: str | None) -> dict[int, int]:
        """Return the guilds of a cookie and when each was added (Unix time), without those that waited too long."""
        earliest = self._now() - self._wait_s
        found: dict[int, int] = {}
        for part in (cookie or "")[:1000].split("."):
            guild_id, _, added_at = part.partition("-")
            if _ENTRY.fullmatch(part) and int(added_at) >= earliest:
                found[int(guild_id)] = int(added_at)
        return found


def serialise(installs: Mapping[int, int]) -> str:
    """Return a cookie's value with the newest guilds."""
    newest = sorted(installs.items(), key=lambda item: -item[1])[:MAX_GUILDS]
    return ".".join(f"{guild_id}-{added_at}" for guild_id, added_at in newest)
