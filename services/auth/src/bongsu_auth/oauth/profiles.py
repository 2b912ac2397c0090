"""Copies a provider's profile into the empty fields of a user."""

from dataclasses import fields

from bongsu.identity.models import User
from bongsu_auth.oauth.port import Profile

FILLED = tuple(field.name for field in fields(Profile) if field.name != "locale")
"""A user always has a language; the provider's is used when the account is created."""


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
