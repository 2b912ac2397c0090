"""The audit log. Every service appends to it, in the transaction of the recorded change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bongsu.contracts.audit import AuditAction
from bongsu.identity.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who did something, with their API key and address where there is one; empty for the system itself."""

    user_id: UUID | None = None
    key_id: UUID | None = None
    address: str | None = None


SYSTEM = Actor()

Entry = Mapping[str, Any]
"""The columns of an entry."""


def entry(
    action: AuditAction,
    actor: Actor = SYSTEM,
    *,
    subject_id: UUID | None = None,
    target: str | None = None,
    details: Mapping[str, str | int] | None = None,
) -> Entry:
    """Make an entry, for `record_all`.

    :param subject_id: the user who is affected.
    :param target: the object of the action, such as `api_key:<id>`.
    :param details: never a secret or a token.
    """
    return {
        "action": action,
        "actor_id": actor.user_id,
        "actor_key_id": actor.key_id,
        "subject_id": subject_id,
        "target": target,
        "address": actor.address,
        "details": dict(details) if details else None,
    }


async def record(
    action: AuditAction,
    actor: Actor = SYSTEM,
    *,
    subject_id: UUID | None = None,
    target: str | None = None,
    details: Mapping[str, str | int] | None = None,
) -> None:
    """Append an entry, in the caller's transaction. The parameters are those of `entry`."""
    await AuditEntry.create(**entry(action, actor, subject_id=subject_id, target=target, details=details))


async def record_all(entries: Sequence[Entry]) -> None:
    """Append entries by one statement, in the caller's transaction, which ends with any error."""
    await AuditEntry.bulk_create(entries, savepoint=False)
