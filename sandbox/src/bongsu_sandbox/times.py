"""Timestamps of the sandbox's JSON."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer


def timestamp(moment: datetime) -> str:
    """Format as RFC 3339 in UTC, with microseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(timestamp, return_type=str)]
