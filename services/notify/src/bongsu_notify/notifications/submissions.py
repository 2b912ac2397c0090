"""Writes new notifications in shared transactions, and claims their idempotency keys and nonces."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, select

from bongsu.identity.errors import SignatureRefused
from bongsu.identity.nonces import Nonce, claim_nonces
from bongsu.mixins import Database, GroupCommit, utc_now
from bongsu_notify.errors import IdempotencyMismatch, KeyInProgress
from bongsu_notify.notifications.creation import Row, announce, insert, read_clock
from bongsu_notify.notifications.models import Notification, RetryKey

MAX_CLAIMS = 3
"""How often a transaction tries to claim the idempotency keys that are free again."""
Key = tuple[str, str]
"""A principal and its idempotency key."""


@dataclass(frozen=True, slots=True)
class _Submission:
    row: Row
    nonce: Nonce | None

    @property
    def id(self) -> UUID:
        found: UUID = self.row["id"]
        return found

    @property
    def key(self) -> Key | None:
        return None if self.row["idempotency_key"] is None else (self.row["principal"], self.row["idempotency_key"])


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a committed transaction made of a submission: a notification, new or not, or why it is refused."""

    found: Notification | None = None
    error: Exception | None = None


class Submissions:
    """Submissions that wait at the same time share one transaction.

    :param window: how long a key is kept.
    """

    def __init__(self, database: Database, window: timedelta) -> None:
        self._database = database
        self._window_s = window.total_seconds()
        self._retried = (
            select(RetryKey.principal, RetryKey.idempotency_key)
            .where(
                RetryKey.principal.in_(bindparam("principals", expanding=True)),
                RetryKey.idempotency_key.in_(bindparam("keys", expanding=True)),
                RetryKey.created_at >= utc_now(-self._window_s),
            )
            .with_for_update()
        )
        self._commit = GroupCommit(database, self._write)

    async def submit(self, row: Row, nonce: Nonce | None = None) -> Notification:
        """Write a notification with its first event and its wake-up; return it, or what its key made before.

        :param nonce: of the request's signature, to be claimed in the same transaction.
        :raises SignatureRefused: the nonce was used before.
        :raises IdempotencyMismatch: the key was used for another request.
        :raises KeyInProgress: another request with this key is still in progress.
        """
        answer = await self._commit.submit(_Submission(row, nonce))
        if nonce is not None:
            nonce.is_recorded = True
        if answer.found is None:
            raise answer.error or KeyInProgress()
        return answer.found

    async def read_clock(self) -> datetime:
        """The database's time."""
        return await self._database.run(read_clock)

    async def close(self) -> None:
        """Finish the submissions in progress."""
        await self._commit.close()

    async def find(self, principal: str, idempotency_key: str) -> Notification | None:
        """What this key made within the window. An older use frees the key."""
        key = principal, idempotency_key
        return (await self._find_used({key})).get(key)

    async def _write(self, submissions: Sequence[_Submission]) -> Sequence[_Answer]:
        """Write submissions in one transaction.

        Nonces and keys are claimed by a no-op upsert, in sorted order so that two transactions meet no deadlock. Whose
        row is there afterwards has won.
        """
        first, now = await self._claim_nonces([one.nonce for one in submissions if one.nonce is not None])
        answers, missing = dict[UUID, _Answer](), list[_Submission]()
        for one in submissions:
            if one.nonce is None or one.nonce.id in first:
                missing.append(one)
            else:
                answers[one.id] = _Answer(error=SignatureRefused())
        made: list[_Submission] = []
        for _ in range(MAX_CLAIMS):
            if not missing:
                break
            stored = await self._insert(missing, now)
            made += [one for one in missing if one.id in stored]
            missing = [one for one in missing if one.id not in stored]
            used = await self._find_used({one.key for one in missing if one.key is not None})
            answers |= {one.id: _replayed(used[one.key], one) for one in missing if one.key in used}
            missing = [one for one in missing if one.id not in answers]  # an old use has freed their keys
        retried = await self._find_retried({one.key for one in made if one.key is not None})
        if retried:
            await Notification.filter_by(id__in=[one.id for one in made if one.key in retried]).delete()
            answers |= {one.id: _Answer(error=IdempotencyMismatch()) for one in made if one.key in retried}
            made = [one for one in made if one.key not in retried]
        await announce([one.row for one in made], now)
        answers |= {one.id: _Answer(Notification(**one.row, created_at=now, updated_at=now)) for one in made}
        return [answers.get(one.id, _Answer(error=KeyInProgress())) for one in submissions]

    async def _claim_nonces(self, nonces: Sequence[Nonce]) -> tuple[Collection[UUID], datetime]:
        """Claim nonces; return the uses that are the first, and the database's time."""
        first = await claim_nonces(nonces) if nonces else {}
        for now in first.values():
            return first, now
        return (), await read_clock()

    @staticmethod
    async def _insert(submissions: Sequence[_Submission], now: datetime) -> Collection[UUID]:
        """Insert the notifications whose key is free; return their ids."""
        ordered = sorted(submissions, key=lambda one: (one.row["principal"], one.row["idempotency_key"] or "", one.id))
        return await insert([one.row for one in ordered], now)

    async def _find_used(self, keys: set[Key]) -> Mapping[Key | None, Notification]:
        """What keys made within the window. An older use frees its key."""
        if not keys:
            return {}
        of_keys: dict[str, object] = {
            "principal__in": sorted({principal for principal, _ in keys}),
            "idempotency_key__in": sorted({key for _, key in keys}),
        }
        rows = await Notification.filter_by(**of_keys, created_at__ge=utc_now(-self._window_s)).all()
        used = {(row.principal, row.idempotency_key): row for row in rows}
        if keys - used.keys():
            of_keys["created_at__lt"] = utc_now(-self._window_s)
            await Notification.filter_by(**of_keys).update(idempotency_key=None)
        return {key: used[key] for key in keys if key in used}

    async def _find_retried(self, keys: set[Key]) -> set[Key | None]:
        """Which keys were used for a retry by hand within the window.

        A locking read, after the keys were claimed here, as a retry claims its key before it reads ours: of both at
        the same moment one waits for the other, or the database breaks their deadlock.
        """
        if not keys:
            return set()
        used = {
            "principals": sorted({principal for principal, _ in keys}),
            "keys": sorted({key for _, key in keys}),
        }
        # SQL of its own: building it for each transaction takes longer than the database does.
        found = {(*row,) for row in await self._database.scoped_session().execute(self._retried, used)}
        return {key for key in keys if key in found}


def replay(found: Notification, wanted: str | None) -> Notification:
    """The notification that a key made, for a request with this fingerprint.

    :raises IdempotencyMismatch: another request made it.
    """
    if found.fingerprint != wanted:
        raise IdempotencyMismatch
    return found


def _replayed(found: Notification, one: _Submission) -> _Answer:
    try:
        return _Answer(replay(found, one.row["fingerprint"]))
    except IdempotencyMismatch as error:
        return _Answer(error=error)
