"""Who may send to whom, when a notification goes out: it was checked when it was accepted."""

from uuid import UUID

from bongsu.identity.models import User
from bongsu.identity.scopes import Permission, Role


async def may_message(sender_id: UUID | None, recipient_id: UUID) -> bool:
    """Whether a user may message another one now: oneself always, and staff everyone."""
    if sender_id == recipient_id:
        return True
    user = await User.get_or_none(sender_id) if sender_id is not None else None
    return user is not None and user.is_active and Permission.INBOX_WRITE_ANY in Role(user.role).permissions
