"""Writes new notifications in shared transactions, and claims their idempotency keys."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, LANES, Priority
from bongsu.mixins import Database, GroupCommit, utc_now
from bongsu_notify.errors import IdempotencyMismatch, KeyInProgress
from bongsu_notify.notifications.models import Notification, NotificationEvent, RetryKey

MAX_CLAIMS = 3
"""How often a transaction tries to claim the idempotency keys that are free again."""
STATEMENT_LENGTH = 1_000_000
"""How many characters of content an insert has; a single notification may have more."""
Row = Mapping[str, Any]
"""The columns of a new notification."""


class Submissions:
    """Submissions that wait at the same time share one transaction.

    :param window: how long a key is kept.
    """

    def __init__(self, database: Database, window: timedelta) -> None:
        self._window = window
        self._commit = GroupCommit(database, self._write)

    async def submit(self, row: Row) -> Notification:
        """Write a notification with its first event and its wake-up; return it, or what its key made before.

        :raises IdempotencyMismatch: the key was used for another request.
        :raises KeyInProgress: another request with this key is still in progress.
        """
        return await self._commit.submit(row)

    async def close(self) -> None:
        """Finish the submissions in progress."""
        await self._commit.close()

    async def find(self, principal: str, idempotency_key: str) -> Notification | None:
        """What this key made within the window. An older use frees the key."""
        found = await Notification.filter_by(principal=principal, idempotency_key=idempotency_key).first()
        if found is not None and found.created_at < datetime.now(UTC) - self._window:
            await found.update(idempotency_key=None)
            return None
        return found

    async def _write(self, rows: Sequence[Row]) -> Sequence[Notification | Exception]:
        """Write submissions in one transaction; return the notification of each, or why its key is refused.

        Keys are claimed by a no-op upsert, in sorted order so that two transactions meet no deadlock. Whose row is
        there afterwards has won.
        """
        keys = {(row["principal"], row["idempotency_key"]) for row in rows if row["idempotency_key"] is not None}
        retried, now = await self._find_retry_keys(keys)
        stored: dict[UUID, Notification] = {}
        missing = [row for row in rows if (row["principal"], row["idempotency_key"]) not in retried]
        for _ in range(MAX_CLAIMS):
            stored |= await self._insert(missing)
            for row in missing:
                if row["id"] not in stored:
                    used = await self.find(row["principal"], row["idempotency_key"])
                    stored |= {row["id"]: used} if used is not None else {}  # else an old use that freed the key
            missing = [row for row in missing if row["id"] not in stored]
            if not missing:
                break
        made = [one for key, one in stored.items() if one.id == key]
        await NotificationEvent.bulk_create([{"notification_id": one.id, "status": one.status} for one in made])
        await outbox.append_many([_wakeup(one.id, one.priority, at=one.send_at or now) for one in made])
        in_progress = {row["id"] for row in missing}
        return [_result(row, stored.get(row["id"]), in_progress) for row in rows]

    @staticmethod
    async def _insert(rows: Sequence[Row]) -> dict[UUID, Notification]:
        """Insert the rows whose idempotency key is free; return the inserted by id."""
        if not rows:
            return {}
        ordered = sorted(rows, key=lambda row: (row["principal"], row["idempotency_key"] or "", row["id"]))
        for part in _split(ordered):
            await Notification.upsert(part, by=("principal", "idempotency_key"), update=[])
        return {one.id: one for one in await Notification.filter_by(id__in=[row["id"] for row in rows]).all()}

    async def _find_retry_keys(self, keys: set[tuple[str, str]]) -> tuple[set[tuple[str, str]], datetime]:
        """Which keys were used for a retry within the window, and the database's time."""
        used = RetryKey.filter_by(
            principal__in=sorted({principal for principal, _ in keys}),
            idempotency_key__in=sorted({key for _, key in keys}),
            created_at__ge=datetime.now(UTC) - self._window,
        )
        read = await used.aggregate(count=("count", "id"), now=utc_now())
        if not read["count"]:
            return set(), read["now"]
        return {*await used.values_list("principal", "idempotency_key")} & keys, read["now"]


def replay(found: Notification, wanted: str | None) -> Notification:
    """The notification that a key made, for a request with this fingerprint.

    :raises IdempotencyMismatch: another request made it.
    """
    if found.fingerprint != wanted:
        raise IdempotencyMismatch
    return found


def _result(row: Row, found: Notification | None, in_progress: set[UUID]) -> Notification | Exception:
    if found is not None and found.fingerprint == row["fingerprint"]:
        return found
    return KeyInProgress() if row["id"] in in_progress else IdempotencyMismatch()


def _split(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Parts for a statement each: MySQL refuses one over `max_allowed_packet`, and breaks the connection."""
    part: list[Row] = []
    length = 0
    for row in rows:
        added = len(str(row["content"]))
        if part and length + added > STATEMENT_LENGTH:
            yield part
            part, length = [], 0
        part.append(row)
        length += added
    yield part


def _wakeup(notification_id: UUID, priority: Priority, *, at: datetime) -> outbox.NewMessage:
    body = DeliveryWakeup(notification_id=notification_id).model_dump(mode="json")
    return outbox.NewMessage(DELIVER[priority], body, LANES[priority], at)
