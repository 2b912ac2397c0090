"""The audit log: appended to by every service, in the transaction of what it tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from bongsu.identity.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user, perhaps by a key, from an address; nobody, for what the system does by itself."""

    user_id: UUID | None = None
    key_id: UUID | None = None
    address: str | None = None


SYSTEM = Actor()


async def record(
    action: str,
    actor: Actor = SYSTEM,
    *,
    subject_id: UUID | None = None,
    target: str | None = None,
    details: Mapping[str, str | int] | None = None,
) -> None:
    """Appends an entry, in the caller's transaction.

    :param action: dotted and past-tense, such as `api_key.created`.
    :param actor: who did it.
    :param subject_id: the user whom it concerns.
    :param target: what it was done to, such as `api_key:<id>`.
    :param details: what else is worth keeping; never a secret or a token.
    """
    await AuditEntry.create(
        action=action,
        actor_id=actor.user_id,
        actor_key_id=actor.key_id,
        subject_id=subject_id,
        target=target,
        address=actor.address,
        details=dict(details) if details else None,
    )
