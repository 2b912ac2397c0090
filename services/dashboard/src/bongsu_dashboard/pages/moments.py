"""How times are said."""

from datetime import UTC, datetime

from bongsu_dashboard.pages.catalogue import Words

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def ago(moment: datetime, words: Words, *, now: datetime | None = None) -> str:
    """How long ago, in words; a date once it is more than a week."""
    elapsed_s = int(((now or datetime.now(UTC)) - moment).total_seconds())
    if elapsed_s < 0:
        return ahead(-elapsed_s, words)
    if elapsed_s < 45:
        return words("time.now")
    if elapsed_s < HOUR_S:
        return words("time.minutes_ago", n=max(1, round(elapsed_s / MINUTE_S)))
    if elapsed_s < DAY_S:
        return words("time.hours_ago", n=round(elapsed_s / HOUR_S))
    if elapsed_s < 7 * DAY_S:
        return words("time.days_ago", n=round(elapsed_s / DAY_S))
    return date(moment, words)


def ahead(seconds: int, words: Words) -> str:
    """How soon, in words."""
    if seconds < 90:
        return words("time.in_seconds", n=max(1, seconds))
    if seconds < 2 * HOUR_S:
        return words("time.in_minutes", n=round(seconds / MINUTE_S))
    if seconds < 2 * DAY_S:
        return words("time.in_hours", n=round(seconds / HOUR_S))
    return words("time.in_days", n=round(seconds / DAY_S))


def date(moment: datetime, words: Words) -> str:
    """The day."""
    if words.language == "ko":
        return f"{moment.year}년 {moment.month}월 {moment.day}일"
    return f"{moment:%b} {moment.day}, {moment.year}"


def exact(moment: datetime) -> str:
    """The day and the second, in UTC: what stands there until a script says it in the reader's own time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine(moment: datetime) -> str:
    """For the `datetime` attribute."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
