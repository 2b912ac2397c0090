"""Claims: a relay claims due messages, and other relays do not see them until the claim ends."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bongsu.broker import Message
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import LANES, OutboxMessage

DEFER_BATCH = 1_000
"""Rows deferred in one transaction: a consumer that settles one of them waits for it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this relay has claimed until `until`, which also identifies the claim in the row."""

    message: Message
    id: UUID
    queue: str
    until: datetime | None
    attempts: int
    strandings: int
    was_published: bool


class Claims:
    """Claims messages and records the outcomes. A message that was settled, postponed or claimed by another relay
    meanwhile is not changed.
    """

    def __init__(self, database: Database, *, claim_s: float) -> None:
        self._database = database
        self._claim_s = claim_s
        self._due = OutboxMessage.filter_by(lane__in=LANES, visible_at__le=utc_now())  # built once: polls are frequent

    async def take(self, limit: int) -> list[Claimed]:
        """Claim due messages, the most urgent lane first."""
        # Checked without a lock first: usually nothing is due, and on SQLite a lock blocks every writer.
        if not await self._due.exists():
            return []
        return await self._database.run(self._take, limit)

    async def _take(self, limit: int) -> list[Claimed]:
        rows: list[OutboxMessage] = []
        for lane in LANES:
            due = OutboxMessage.filter_by(lane=lane, visible_at__le=utc_now()).order_by("visible_at", "id")
            rows += await due.limit(limit - len(rows)).lock(skip_locked=True).all()
            if len(rows) >= limit:
                break
        if rows:
            # The update also refreshes the rows, and with them the claim.
            await OutboxMessage.filter_by(id__in=[row.id for row in rows]).update(
                visible_at=utc_now(self._claim_s), claimed_until=utc_now(self._claim_s)
            )
        return [
            Claimed(
                message=Message(id=str(row.id), body=row.body, headers=row.headers),
                id=row.id,
                queue=row.queue,
                until=row.claimed_until,
                attempts=row.attempts,
                strandings=row.strandings,
                was_published=row.published_at is not None,
            )
            for row in rows
        ]

    async def mark_confirmed(self, claimed: Sequence[Claimed], *, strandings: int, stranded_after_s: float) -> None:
        """The broker confirmed them. They are due again unless their consumer settles them in time."""
        await self._end(
            claimed,
            attempts=0,
            strandings=strandings,
            published_at=utc_now(),
            visible_at=utc_now(stranded_after_s),
            claimed_until=None,
        )

    async def mark_refused(self, claimed: Sequence[Claimed], *, attempts: int, delay_s: float) -> None:
        """The broker refused them. They are due again after the delay, as not published."""
        await self._end(claimed, attempts=attempts, published_at=None, visible_at=utc_now(delay_s), claimed_until=None)

    async def release(self, claimed: Sequence[Claimed], *, delay_s: float) -> None:
        """Nothing was published. They are due again after the delay, otherwise unchanged."""
        await self._end(claimed, visible_at=utc_now(delay_s), claimed_until=None)

    async def defer(self, queue: str, *, published_within_s: float, delay_s: float) -> int:
        """Defer due messages of a queue that were published within that time, unread: there may be many.

        :returns: the number of messages.
        """
        count = 0
        for lane in LANES:
            while part := await self._database.run(_defer, lane, queue, published_within_s, delay_s):
                count += part
                if part < DEFER_BATCH:
                    break
        return count

    async def published_before(self, claimed: Sequence[Claimed], *, age_s: float) -> set[UUID]:
        """Find the messages that were published longer ago than that."""
        ids = [one.id for one in claimed]
        return set(await OutboxMessage.filter_by(id__in=ids, published_at__lt=utc_now(-age_s)).pluck("id"))

    async def _end(self, claimed: Collection[Claimed], **values: object) -> None:
        if not claimed:
            return
        claims = {one.until for one in claimed}

        async def update() -> None:
            for until in claims:
                ids = sorted(one.id for one in claimed if one.until == until)
                # A row that another transaction has locked is being settled or postponed: it must not hold up the rest.
                free = await OutboxMessage.filter_by(id__in=ids, claimed_until=until).lock(skip_locked=True).pluck("id")
                if free:
                    await OutboxMessage.filter_by(id__in=free).update(**values)

        await self._database.run(update)


async def _defer(lane: int, queue: str, published_within_s: float, delay_s: float) -> int:
    due = OutboxMessage.filter_by(
        lane=lane, queue=queue, visible_at__le=utc_now(), published_at__ge=utc_now(-published_within_s)
    )
    ids = await due.order_by("visible_at", "id").limit(DEFER_BATCH).lock(skip_locked=True).pluck("id")
    if not ids:
        return 0
    await OutboxMessage.filter_by(id__in=ids).update(visible_at=utc_now(delay_s), claimed_until=None)
    return len(ids)
