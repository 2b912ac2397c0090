"""Statistics over notify's API, with the authority of a linked user."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from bongsu.contracts.stats import Stats
from bongsu_bot.apis import LinkedUser

Period = Literal["day", "week", "month"]
DAYS: Final[dict[Period, int]] = {"day": 1, "week": 7, "month": 30}


async def fetch(user: LinkedUser, period: Period) -> Stats:
    """Return the counts of the last day, week or month, in buckets of a day."""
    start = datetime.now(UTC) - timedelta(days=DAYS[period])
    return await user.call("notify", "GET", "/v1/stats", Stats, query={"from": start.isoformat(), "bucket": "day"})
