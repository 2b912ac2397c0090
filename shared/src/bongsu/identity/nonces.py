"""Nonces, each of which works once, at any replica."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import GroupCommit, utc_now, uuid7

LIFETIME = timedelta(seconds=120)
"""Longer than any signature is fresh: `created` may be 30 s in the future, and is accepted for 30 s more."""

SWEEP_LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class _Use:
    id: UUID
    digest: str


class Nonces:
    """Uses nonces. Uses at the same time share a transaction, outside of the callers' units of work."""

    def __init__(self) -> None:
        self._commit: GroupCommit[_Use, bool] | None = None

    async def use(self, access_key: str, nonce: str) -> bool:
        """Use a nonce; return whether this is its first use with the key."""
        database = RequestNonce.database()
        if self._commit is None or self._commit.database is not database:
            self._commit = GroupCommit(database, _write)
        digest = hashlib.sha256(f"{access_key}\0{nonce}".encode()).digest()
        return await self._commit.submit(_Use(uuid7(), base64.urlsafe_b64encode(digest).decode().rstrip("=")))


async def _write(uses: Sequence[_Use]) -> Sequence[bool]:
    expires_at = datetime.now(UTC) + LIFETIME
    # In sorted order, so that two transactions with the same nonces meet no deadlock.
    ordered = sorted(uses, key=lambda use: use.digest)
    rows = [{"id": use.id, "digest": use.digest, "expires_at": expires_at} for use in ordered]
    await RequestNonce.upsert(rows, by="digest", update=[])
    first = {*await RequestNonce.filter_by(id__in=[use.id for use in uses]).pluck("id")}
    return [use.id in first for use in uses]


async def sweep_nonces() -> int:
    """Delete nonces that no fresh signature can have; return how many."""
    return await sweep(RequestNonce, expires_at__lt=utc_now(-SWEEP_LIMIT_S))
