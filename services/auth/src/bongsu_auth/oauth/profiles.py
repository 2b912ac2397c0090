"""What a provider tells of somebody goes into their account, where it is still empty."""

from dataclasses import fields

from bongsu.identity.models import User
from bongsu_auth.oauth.port import Profile

FILLED = tuple(field.name for field in fields(Profile) if field.name != "locale")
"""A user always has a language; the provider's counts when the account is made."""


async def fill(user: User, *profiles: Profile) -> None:
    """Fills what is empty from the first profile that knows it, in the caller's transaction."""
    changes: dict[str, object] = {}
    for name in FILLED:
        if getattr(user, name) is None:
            known = next((value for one in profiles if (value := getattr(one, name)) is not None), None)
            if known is not None:
                changes[name] = known
    if user.fill(**changes):
        await user.save()


async def empty(user: User) -> None:
    """Forgets what somebody else may have written."""
    user.fill(**dict.fromkeys(FILLED))
    await user.save()
