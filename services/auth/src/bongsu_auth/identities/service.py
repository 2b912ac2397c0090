"""The rules of linked accounts. Each function needs an open unit of work, but for those that only read."""

from collections.abc import Sequence
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.models import LinkedAccount, User
from bongsu_auth.errors import IdentityNotFound, LastWayIn


async def listed(user_id: UUID) -> tuple[Sequence[LinkedAccount], bool]:
    """A user's linked accounts, and whether they have a password."""
    user = await User.get_or_none(user_id)
    found = await LinkedAccount.filter_by(user_id=user_id).order_by("provider").all()
    return found, user is not None and _has_password(user)


async def unlink(user_id: UUID, provider: str, actor: Actor) -> LinkedAccount:
    """Unlinks an account; what it was.

    :raises IdentityNotFound: none of this provider is linked.
    :raises LastWayIn: the user could not sign in any more.
    """
    # The lock makes two of them take turns: neither may count on the other's account.
    user = await User.filter_by(id=user_id).lock().one()
    accounts = await LinkedAccount.filter_by(user_id=user_id).all()
    linked = next((one for one in accounts if one.provider == provider), None)
    if linked is None:
        raise IdentityNotFound
    if len(accounts) == 1 and not _has_password(user):
        raise LastWayIn
    await linked.delete()
    await audit.record("identity.unlinked", actor, subject_id=user_id, target=f"identity:{provider}")
    return linked


def _has_password(user: User) -> bool:
    """A password is of no use without an address to give with it."""
    return bool(user.hashed_password) and user.is_verified and user.email_norm is not None
