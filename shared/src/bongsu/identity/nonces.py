"""Nonces, each of which works once, at any replica."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select

from bongsu.identity import base64url
from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database, GroupCommit, utc_now, uuid7, write_keys, written

LIFETIME = timedelta(seconds=120)
"""Longer than any signature is fresh: `created` may be 30 s in the future, and is accepted for 30 s more."""

SWEEP_LIMIT_S = 30
_NOW = utc_now()
_CLAIMED: Final = select(RequestNonce.id, _NOW).where(RequestNonce.id.op("IN")(written("ids", write_keys)))
_clocks: WeakKeyDictionary[Database, tuple[datetime, float]] = WeakKeyDictionary()
"""The time of each database when it was read last, and when that was."""


@dataclass(slots=True)
class Nonce:
    """One use of a nonce.

    :param is_recorded: whether a committed transaction has claimed it, for this use or before.
    """

    digest: str
    id: UUID = field(default_factory=uuid7)
    is_recorded: bool = False

    @classmethod
    def of(cls, access_key: str, nonce: str) -> "Nonce":
        """The nonce of a key: another key's nonce may have the same text."""
        digest = hashlib.sha256(f"{access_key}\0{nonce}".encode()).digest()
        return cls(base64url.encode(digest))


class Nonces:
    """Uses nonces. Uses at the same time share a transaction, outside of the callers' units of work."""

    def __init__(self) -> None:
        self._commit: GroupCommit[Nonce, bool] | None = None

    async def use(self, access_key: str, nonce: str) -> bool:
        """Use a nonce; return whether this is its first use with the key."""
        return await self.record(Nonce.of(access_key, nonce))

    async def record(self, nonce: Nonce) -> bool:
        """Claim a nonce; return whether this is its first use."""
        database = RequestNonce.database()
        if self._commit is None or self._commit.database is not database:
            self._commit = GroupCommit(database, _write)
        is_first = await self._commit.submit(nonce)
        nonce.is_recorded = True
        return is_first

    async def close(self) -> None:
        """Finish the claims in progress."""
        if self._commit is not None:
            await self._commit.close()


async def claim_nonces(nonces: Sequence[Nonce]) -> Mapping[UUID, datetime]:
    """Claim nonces in the running unit of work.

    :returns: the IDs of the uses that are the first, each with the time by the database's clock.
    """
    # In sorted order, so that two transactions with the same nonces meet no deadlock.
    ordered = sorted(nonces, key=lambda nonce: nonce.digest)
    expires_at = await _read_clock() + LIFETIME
    rows = [{"id": nonce.id, "digest": nonce.digest, "expires_at": expires_at} for nonce in ordered]
    await RequestNonce.upsert(rows, by="digest", update=[], savepoint=False)
    database = RequestNonce.database()
    # SQL of its own: building it for each claim takes longer than the database does.
    found = await database.scoped_session().execute(_CLAIMED, {"ids": [nonce.id for nonce in nonces]})
    first: dict[UUID, datetime] = {row.id: row[1] for row in found}
    for now in first.values():
        _clocks[database] = now, time.monotonic()
    return first


async def _read_clock() -> datetime:
    """The database's time. The last claim has read it: this process's monotonic clock carries it on."""
    database = RequestNonce.database()
    if database not in _clocks:
        # The clock has no model.
        found = (await database.scoped_session().scalars(select(_NOW))).one()
        _clocks[database] = found, time.monotonic()
    read, at = _clocks[database]
    return read + timedelta(seconds=time.monotonic() - at)


async def _write(nonces: Sequence[Nonce]) -> Sequence[bool]:
    first = await claim_nonces(nonces)
    return [nonce.id in first for nonce in nonces]


async def sweep_nonces() -> int:
    """Delete nonces that no fresh signature can have; return how many."""
    return await sweep(RequestNonce, expires_at__lt=utc_now(-SWEEP_LIMIT_S))
