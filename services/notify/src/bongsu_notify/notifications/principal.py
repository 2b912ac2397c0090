"""Who asks for notifications."""

from dataclasses import dataclass
from uuid import UUID

from bongsu.contracts.notifications import Mode
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.callers import Caller
from bongsu.identity.nonces import Nonce
from bongsu.identity.scopes import Permission


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: `name` scopes idempotency keys, `user_id` owns the notifications.

    :param sees_all: staff may read, retry and cancel the notifications of every user.
    :param may_message_anyone: staff may send to the inbox and to the direct messages of every user.
    :param off_trial: the account is known to be off trial; where that is not known, the service reads the user.
    :param nonce: of the request's signature; `submit` claims it.
    :param actor: the caller as the audit log records them.
    """

    name: str
    user_id: UUID
    mode: Mode = "live"
    sees_all: bool = False
    may_message_anyone: bool = False
    off_trial: bool = False
    nonce: Nonce | None = None
    actor: Actor = audit.SYSTEM


def principal_of(caller: Caller) -> Principal:
    """An API key acts for its owner alone, whatever the owner's role: staff powers need a sign-in."""
    return Principal(
        name=f"key:{caller.key_id}" if caller.key_id is not None else f"user:{caller.user_id}",
        user_id=caller.user_id,
        mode=caller.mode,
        sees_all=caller.key_id is None and caller.may(Permission.NOTIFICATIONS_READ_ALL),
        may_message_anyone=caller.key_id is None and caller.may(Permission.INBOX_WRITE_ANY),
        off_trial=caller.off_trial,
        nonce=caller.nonce,
        actor=caller.actor,
    )
