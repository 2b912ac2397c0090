"""Times as the contract writes them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(timestamp, return_type=str)]
