"""From a caller to a principal: on whose behalf notifications are made and seen."""

from bongsu.identity.callers import Caller
from bongsu.identity.scopes import Permission
from bongsu_notify.notifications.service import Principal


def principal_of(caller: Caller) -> Principal:
    """The principal: a key keys its own idempotency, a signed-in user theirs."""
    name = f"key:{caller.key_id}" if caller.key_id is not None else f"user:{caller.user_id}"
    # A key acts for its owner's own things, whatever the owner's role: staff powers need a sign-in.
    sees_all = caller.key_id is None and caller.may(Permission.NOTIFICATIONS_READ_ALL)
    return Principal(name=name, user_id=caller.user_id, mode=caller.mode, sees_all=sees_all, off_trial=caller.off_trial)
