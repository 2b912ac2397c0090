"""Days of a filter, in the time zone of the reader."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo


def parse_days(address: Mapping[str, str]) -> tuple[str, str, str]:
    """Read the first day, the last day and the zone of an address. Each is empty where it is malformed."""
    since, until = (day if parse_day(day := address.get(name, "")) else "" for name in ("since", "until"))
    zone = address.get("zone", "") if since or until else ""
    return since, until, zone if parse_zone(zone) is not UTC else ""


def parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_zone(name: str) -> tzinfo:
    """Return a time zone; UTC where the name is empty or unknown."""
    try:
        return ZoneInfo(name) if name and name != "UTC" else UTC
    except (OSError, ValueError, KeyError):  # a folder, malformed, unknown
        return UTC


def start_of(day: date | None, zone: tzinfo) -> datetime | None:
    """Return the midnight that a day starts with."""
    if day is None:
        return None
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        return None


def end_of(day: date | None, zone: tzinfo) -> datetime | None:
    """Return the midnight that a day ends with."""
    return start_of(day + timedelta(days=1) if day and day < date.max else day, zone)
