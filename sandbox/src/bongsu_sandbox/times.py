"""Times as the contract writes them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and a `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[datetime, PlainSerializer(timestamp, return_type=str)]
