"""The request for statistics."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from bongsu_notify.notifications.schemas import Body, Moment

MAX_BUCKETS: Final = 100
LENGTHS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


class StatsQuery(Body):
    """A period of time, and the length of its buckets."""

    from_: Moment | None = Field(default=None, alias="from", description="Default: a day before `to`")
    to: Moment | None = Field(default=None, description="Default: now")
    bucket: Literal["hour", "day"] = "hour"

    @property
    def end(self) -> datetime:
        return self.to or datetime.now(UTC)
