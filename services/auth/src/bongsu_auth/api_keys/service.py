"""The rules of API keys. Each function needs an open unit of work, but for those that only read."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.api_keys import secret_context
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.models import AllowlistEntry, ApiKey, KeyMode, KeyStatus, User
from bongsu.identity.scopes import KEY_SCOPES, Scope, format_scopes
from bongsu.identity.vault import Vault
from bongsu.mixins import Q, uuid7
from bongsu_auth.errors import EntryExists, EntryNotFound, KeyNotFound, TooManyEntries, TooManyKeys

ACCESS_PREFIX = "bak_"
SECRET_PREFIX = "bsk_"  # noqa: S105 - what every secret begins with


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key is made with."""

    memo: str | None = None
    scopes: Iterable[Scope] = KEY_SCOPES
    mode: KeyMode = "live"
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """What shall change; None means that it stays.

    :param has_memo: whether `memo` shall change too, perhaps to None.
    """

    status: KeyStatus | None = None
    memo: str | None = None
    has_memo: bool = False


async def create(
    user_id: UUID, facts: KeyFacts, vault: Vault, *, max_active: int, actor: Actor = SYSTEM
) -> tuple[ApiKey, str]:
    """Makes a key; it and its secret.

    :raises TooManyKeys: as many are active as may be, however many requests come at once.
    """
    await _lock_keys_of(user_id)
    await _require_room(user_id, max_active)
    key_id, secret = uuid7(), _new_secret()
    key = await ApiKey.create(
        id=key_id,
        user_id=user_id,
        access_key=ACCESS_PREFIX + secrets.token_urlsafe(16),
        sealed_secret=vault.seal(secret, aad=secret_context(key_id)),
        memo=facts.memo,
        scopes=format_scopes(facts.scopes),
        mode=facts.mode,
        expires_at=facts.expires_at,
        status="active",
    )
    await audit.record("api_key.created", actor, subject_id=user_id, target=f"api_key:{key_id}")
    return key, secret


async def listed(user_id: UUID, *, limit: int, after: UUID | None) -> tuple[Sequence[ApiKey], UUID | None]:
    """A page of a user's keys, newest first, and the id to continue after (None at the end)."""
    query = ApiKey.filter_by(user_id=user_id)
    if after is not None:
        query = query.filter_by(id__lt=after)
    found = await query.order_by("-id").limit(limit + 1).all()
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


async def find(key_id: UUID, user_id: UUID) -> ApiKey:
    """One of a user's keys.

    :raises KeyNotFound: there is none, or it is another's.
    """
    key = await ApiKey.filter_by(id=key_id, user_id=user_id).first()
    if key is None:
        raise KeyNotFound
    return key


async def change(key_id: UUID, user_id: UUID, changes: KeyChanges, *, max_active: int, actor: Actor = SYSTEM) -> ApiKey:
    """Changes what a key is for, stops it, or lets it work again.

    :raises KeyNotFound: there is none, or it is another's.
    :raises TooManyKeys: it shall work again, and as many others are active as may be.
    """
    if changes.status == "active":
        await _lock_keys_of(user_id)
    key = await _locked(key_id, user_id)
    if changes.has_memo:
        await key.update(memo=changes.memo)
    if changes.status is not None and changes.status != key.status:
        if changes.status == "active":
            await _require_room(user_id, max_active)
        await key.update(status=changes.status)
        action = "api_key.activated" if changes.status == "active" else "api_key.stopped"
        await audit.record(action, actor, subject_id=user_id, target=f"api_key:{key_id}")
    return key


async def delete(key_id: UUID, user_id: UUID, *, actor: Actor = SYSTEM) -> ApiKey:
    """Removes a key and its allow-list.

    :raises KeyNotFound: there is none, or it is another's.
    """
    key = await _locked(key_id, user_id)
    await AllowlistEntry.filter_by(key_id=key_id).delete()
    await key.delete()
    await audit.record("api_key.deleted", actor, subject_id=user_id, target=f"api_key:{key_id}")
    return key


async def rotate(
    key_id: UUID, user_id: UUID, vault: Vault, *, overlap: timedelta, actor: Actor = SYSTEM
) -> tuple[ApiKey, str]:
    """Gives a key a new secret; the old one works for the overlap, one from an earlier rotation no longer.

    :raises KeyNotFound: there is none, or it is another's.
    """
    key = await _locked(key_id, user_id)
    secret = _new_secret()
    await key.update(
        sealed_previous_secret=key.sealed_secret,
        previous_until=datetime.now(UTC) + overlap,
        sealed_secret=vault.seal(secret, aad=secret_context(key_id)),
    )
    await audit.record("api_key.rotated", actor, subject_id=user_id, target=f"api_key:{key_id}")
    return key, secret


async def entries(key_id: UUID) -> Sequence[AllowlistEntry]:
    """The allow-list of a key."""
    return await AllowlistEntry.filter_by(key_id=key_id).order_by("id").all()


async def add_entry(
    key_id: UUID, user_id: UUID, cidr: str, *, max_entries: int, actor: Actor = SYSTEM
) -> tuple[ApiKey, AllowlistEntry]:
    """Adds a block of addresses to a key's allow-list.

    :raises KeyNotFound: there is no such key, or it is another's.
    :raises TooManyEntries: the list is full, however many requests come at once.
    :raises EntryExists: it is there already.
    """
    key = await _locked(key_id, user_id)
    there = await entries(key_id)
    if any(entry.cidr == cidr for entry in there):
        raise EntryExists(cidr)
    if len(there) >= max_entries:
        raise TooManyEntries(max_entries)
    entry = await AllowlistEntry.create(key_id=key_id, cidr=cidr)
    await audit.record(
        "api_key.address_allowed", actor, subject_id=user_id, target=f"api_key:{key_id}", details={"cidr": cidr}
    )
    return key, entry


async def remove_entry(key_id: UUID, user_id: UUID, entry_id: UUID, *, actor: Actor = SYSTEM) -> ApiKey:
    """Takes a block away.

    :raises KeyNotFound: there is no such key, or it is another's.
    :raises EntryNotFound: it is not in this key's list.
    """
    key = await _locked(key_id, user_id)
    entry = await AllowlistEntry.filter_by(id=entry_id, key_id=key_id).first()
    if entry is None:
        raise EntryNotFound
    await entry.delete()
    await audit.record(
        "api_key.address_removed", actor, subject_id=user_id, target=f"api_key:{key_id}", details={"cidr": entry.cidr}
    )
    return key


async def _locked(key_id: UUID, user_id: UUID) -> ApiKey:
    """A user's key; changes to it take turns."""
    key = await ApiKey.filter_by(id=key_id, user_id=user_id).lock().one_or_none()
    if key is None:
        raise KeyNotFound
    return key


async def _lock_keys_of(user_id: UUID) -> None:
    """What makes keys active takes turns, a user."""
    await User.filter_by(id=user_id).lock().one()


async def _require_room(user_id: UUID, max_active: int) -> None:
    active = await ApiKey.filter_by(
        Q(expires_at__isnull=True) | Q(expires_at__gt=datetime.now(UTC)), user_id=user_id, status="active"
    ).count()
    if active >= max_active:
        raise TooManyKeys(max_active)


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)
