"""Which guilds the bot was added to a moment ago: what the browser remembers until the bot has seen them.

Only for showing: whoever changes the cookie changes what they see themselves.
"""

import re
import time
from collections.abc import Mapping
from typing import Final

MAX_REMEMBERED: Final = 10
_NUMBERS: Final = re.compile(r"[0-9]{1,20}-[0-9]{1,12}")


def read(cookie: str | None, *, wait_s: int, now: float | None = None) -> dict[int, int]:
    """The guilds and when each was added (seconds since 1970), without those for which the wait is over."""
    earliest = (now or time.time()) - wait_s
    found: dict[int, int] = {}
    for part in (cookie or "")[:1000].split("."):
        guild_id, _, added_at = part.partition("-")
        if _NUMBERS.fullmatch(part) and int(added_at) >= earliest:
            found[int(guild_id)] = int(added_at)
    return found


def write(remembered: Mapping[int, int]) -> str:
    """As a cookie's value: the newest ones."""
    newest = sorted(remembered.items(), key=lambda item: -item[1])[:MAX_REMEMBERED]
    return ".".join(f"{guild_id}-{added_at}" for guild_id, added_at in newest)
