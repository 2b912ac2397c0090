"""Profiles: fits a provider's values into our columns, and copies them into the empty fields of a user.

A value that does not fit is left out and never fails a sign-in.
"""

import re
from dataclasses import fields
from urllib.parse import urlsplit

from bongsu.contracts.text import is_allowed, shorten
from bongsu.identity.models import User
from bongsu_auth.oauth.port import Profile

FILLED = tuple(field.name for field in fields(Profile) if field.name != "locale")
"""A user always has a language; the provider's is used when the account is created."""
MAX_NAME_CHARS = 100
MAX_PICTURE_CHARS = 500
_AGE_RANGE = re.compile(r"([0-9]{1,2})[~-]([0-9]{1,2})?")
_IMAGE_HASH = re.compile(r"(a_)?[0-9a-f]{32}")
_PHONE = re.compile(r"\+?[0-9]{5,20}")


async def fill_empty_fields(user: User, *profiles: Profile) -> None:
    """Fill each empty field from the first profile that has it, in the caller's transaction."""
    changes: dict[str, object] = {}
    for name in FILLED:
        if getattr(user, name) is None:
            known = next((value for one in profiles if (value := getattr(one, name)) is not None), None)
            if known is not None:
                changes[name] = known
    if user.fill(**changes):
        await user.save()


async def empty(user: User) -> None:
    """Empty every field that a provider may have filled."""
    user.fill(**dict.fromkeys(FILLED))
    await user.save()


def text(value: object) -> str | None:
    """Return a name without control characters, at most `MAX_NAME_CHARS` long."""
    if not isinstance(value, str):
        return None
    allowed = "".join(char for char in value if is_allowed(char)).strip()
    return shorten(allowed, MAX_NAME_CHARS).rstrip() or None


def picture(value: object) -> str | None:
    """Return the https URL of a picture."""
    if not isinstance(value, str) or len(value) > MAX_PICTURE_CHARS or not value.isascii() or not value.isprintable():
        return None
    # Kakao's API returns http URLs; its CDN serves https as well.
    address = "https://" + value.removeprefix("http://") if value.startswith("http://") else value
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    usable = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc
    return address if usable and len(address) <= MAX_PICTURE_CHARS else None


def is_image_hash(value: str | None) -> bool:
    """Return whether the value is a Discord image hash, which is safe in a URL."""
    return value is not None and _IMAGE_HASH.fullmatch(value) is not None


def phone_number(value: object) -> str | None:
    """Return the digits, with the country code if it was given."""
    number = re.sub(r"[ ().-]", "", value) if isinstance(value, str) else ""
    return number if _PHONE.fullmatch(number) else None


def gender(value: object) -> str | None:
    """Return `female`, `male`, or another short word."""
    word = value.strip().lower() if isinstance(value, str) else ""
    return word if re.fullmatch(r"[a-z_]{1,16}", word) and word != "unspecified" else None


def birth_year(value: object) -> int | None:
    """Return a year of birth from 1900 to 2100."""
    try:
        year = int(str(value))
    except ValueError:
        return None
    return year if 1900 <= year <= 2100 else None


def birthday(month: object, day: object) -> str | None:
    """Return `MM-DD`."""
    try:
        found = (int(str(month)), int(str(day)))
    except ValueError:
        return None
    return f"{found[0]:02}-{found[1]:02}" if 1 <= found[0] <= 12 and 1 <= found[1] <= 31 else None


def age_range(value: object) -> str | None:
    """Return `30-39`, or `90-` for 90 and older."""
    match = _AGE_RANGE.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}-{match[2] or ''}" if match else None


def locale(value: object) -> str | None:
    """Return `ko` or `en`."""
    language = re.split("[-_]", value.lower())[0] if isinstance(value, str) else ""
    return language if language in ("ko", "en") else None


def subject(value: str) -> str:
    """Return the ID of an account.

    :raises ValueError: it is not printable ASCII.
    """
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", value):
        raise ValueError("an account's ID is printable ASCII")
    return value
