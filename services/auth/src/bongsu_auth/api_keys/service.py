"""The rules of API keys. Methods that write need an open unit of work."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from bongsu.contracts.audit import AuditAction
from bongsu.identity import audit
from bongsu.identity.api_keys import KeyDirectory, secret_context
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.models import AllowlistEntry, ApiKey, User
from bongsu.identity.scopes import format_scopes
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, Q, uuid7
from bongsu.runtime.id_pages import page_by_id
from bongsu_auth.api_keys.schemas import KeyIn, KeyPatch
from bongsu_auth.errors import EntryExists, EntryNotFound, KeyNotFound, TooManyEntries, TooManyKeys
from bongsu_auth.notices.service import SecurityNotices

ACCESS_PREFIX = "bak_"
SECRET_PREFIX = "bsk_"  # noqa: S105 - what every secret begins with


class ApiKeys:
    """Creates and changes API keys.

    :param directory: this process's cache, which forgets a key when a change of it is committed.
    :param notices: notifies owners of new keys and new secrets.
    :param max_active: active keys per user.
    :param max_entries: allow-list entries per key.
    :param overlap: how long the old secret of a rotated key works.
    """

    def __init__(  # noqa: PLR0913 - each is one collaborator or limit
        self,
        database: Database,
        vault: Vault,
        directory: KeyDirectory,
        notices: SecurityNotices,
        *,
        max_active: int = 3,
        max_entries: int = 10,
        overlap: timedelta = timedelta(hours=24),
    ) -> None:
        self._database = database
        self._vault = vault
        self._directory = directory
        self._notices = notices
        self._max_active = max_active
        self._max_entries = max_entries
        self._overlap = overlap

    async def create(self, user_id: UUID, new: KeyIn, actor: Actor = SYSTEM) -> tuple[ApiKey, str]:
        """Create a key, and notify its owner. Returns it and its secret.

        :raises TooManyKeys: the user's limit is reached, however many requests come at the same time.
        """
        user = await self._lock_keys_of(user_id)
        await self._require_room(user_id)
        key_id, secret = uuid7(), _new_secret()
        key = await ApiKey.create(
            id=key_id,
            user_id=user_id,
            access_key=ACCESS_PREFIX + secrets.token_urlsafe(16),
            sealed_secret=self._vault.seal(secret, aad=secret_context(key_id)),
            memo=new.memo,
            scopes=format_scopes(new.scopes),
            mode=new.mode,
            expires_at=new.expires_at,
            status="active",
        )
        await self._notices.record("api_key.created", user, actor, target=_target(key), subject=key.access_key)
        return key, secret

    @staticmethod
    async def list_keys(user_id: UUID, *, limit: int, after: UUID | None) -> tuple[Sequence[ApiKey], UUID | None]:
        """Return a page of a user's keys, newest first, and the ID to continue after (None at the end)."""
        return await page_by_id(ApiKey.filter_by(user_id=user_id), limit=limit, after=after)

    @staticmethod
    async def find(key_id: UUID, user_id: UUID) -> ApiKey:
        """Return one of a user's keys.

        :raises KeyNotFound: the user has no key with this ID; so do the methods below.
        """
        key = await ApiKey.filter_by(id=key_id, user_id=user_id).first()
        if key is None:
            raise KeyNotFound
        return key

    async def change(self, key_id: UUID, user_id: UUID, changes: KeyPatch, actor: Actor = SYSTEM) -> ApiKey:
        """Change a key's memo, stop it, or activate it.

        :raises TooManyKeys: activating it would exceed the user's limit.
        """
        if changes.status == "active":
            await self._lock_keys_of(user_id)
        key = await self._lock(key_id, user_id)
        if "memo" in changes.model_fields_set:
            await key.update(memo=changes.memo)
        if changes.status is not None and changes.status != key.status:
            if changes.status == "active":
                await self._require_room(user_id)
            await key.update(status=changes.status)
            await _record("api_key.activated" if changes.status == "active" else "api_key.stopped", actor, key)
        return key

    async def delete(self, key_id: UUID, user_id: UUID, actor: Actor = SYSTEM) -> None:
        """Delete a key and its allow-list."""
        key = await self._lock(key_id, user_id)
        await AllowlistEntry.filter_by(key_id=key_id).delete()
        await key.delete()
        await _record("api_key.deleted", actor, key)

    async def rotate(self, key_id: UUID, user_id: UUID, actor: Actor = SYSTEM) -> tuple[ApiKey, str]:
        """Give a key a new secret, and notify its owner.

        The old secret works for the overlap; one from an earlier rotation stops working.
        """
        key = await self._lock(key_id, user_id)
        secret = _new_secret()
        await key.update(
            sealed_previous_secret=key.sealed_secret,
            previous_until=datetime.now(UTC) + self._overlap,
            sealed_secret=self._vault.seal(secret, aad=secret_context(key_id)),
        )
        user = await User.get(user_id)
        await self._notices.record("api_key.rotated", user, actor, target=_target(key), subject=key.access_key)
        return key, secret

    async def list_entries(self, key_id: UUID, user_id: UUID) -> Sequence[AllowlistEntry]:
        """Return the allow-list of a key."""
        await self.find(key_id, user_id)
        return await AllowlistEntry.filter_by(key_id=key_id).order_by("id").all()

    async def add_entry(self, key_id: UUID, user_id: UUID, cidr: str, actor: Actor = SYSTEM) -> AllowlistEntry:
        """Add a block of addresses to a key's allow-list.

        :raises TooManyEntries: the list is full, however many requests come at the same time.
        :raises EntryExists: the list has the block already.
        """
        key = await self._lock(key_id, user_id)
        entries = await AllowlistEntry.filter_by(key_id=key_id).all()
        if any(entry.cidr == cidr for entry in entries):
            raise EntryExists(cidr)
        if len(entries) >= self._max_entries:
            raise TooManyEntries(self._max_entries)
        entry = await AllowlistEntry.create(key_id=key_id, cidr=cidr)
        await _record("api_key.address_allowed", actor, key, cidr=cidr)
        return entry

    async def remove_entry(self, key_id: UUID, user_id: UUID, entry_id: UUID, actor: Actor = SYSTEM) -> None:
        """Remove a block from a key's allow-list.

        :raises EntryNotFound: the list has no entry with this ID.
        """
        key = await self._lock(key_id, user_id)
        entry = await AllowlistEntry.filter_by(id=entry_id, key_id=key_id).first()
        if entry is None:
            raise EntryNotFound
        await entry.delete()
        await _record("api_key.address_removed", actor, key, cidr=entry.cidr)

    async def _lock(self, key_id: UUID, user_id: UUID) -> ApiKey:
        """Return a user's key, about to change. Changes of one key take turns."""
        key = await ApiKey.filter_by(id=key_id, user_id=user_id).lock().one_or_none()
        unit = self._database.ambient()
        if key is None:
            raise KeyNotFound
        assert unit is not None  # noqa: S101 - a lock needs one
        unit.on_commit(partial(self._directory.forget, key.access_key))
        return key

    @staticmethod
    async def _lock_keys_of(user_id: UUID) -> User:
        """Make the calls that activate keys of a user take turns. Returns the user."""
        return await User.filter_by(id=user_id).lock().one()

    async def _require_room(self, user_id: UUID) -> None:
        active = await ApiKey.filter_by(
            Q(expires_at__isnull=True) | Q(expires_at__gt=datetime.now(UTC)), user_id=user_id, status="active"
        ).count()
        if active >= self._max_active:
            raise TooManyKeys(self._max_active)


async def _record(action: AuditAction, actor: Actor, key: ApiKey, **details: str) -> None:
    await audit.record(action, actor, subject_id=key.user_id, target=_target(key), details=details)


def _target(key: ApiKey) -> str:
    return f"api_key:{key.id}"


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(32)
