"""Which messages a relay may publish: it claims them by moving them out of sight of other relays for a while."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from bongsu.broker import Message
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import LANES, OutboxMessage

PUT_OFF_AT_ONCE = 1_000
"""In one transaction: a consumer that settles one of them waits for it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this relay holds until `until`, which is also how its row is recognised as still ours."""

    message: Message
    id: UUID
    queue: str
    until: datetime | None
    attempts: int
    strandings: int
    was_published: bool


class Claims:
    """Takes messages and says what became of them. What was settled, postponed or taken by another relay meanwhile
    is left as it is.
    """

    def __init__(self, database: Database, *, claim_s: float) -> None:
        self._database = database
        self._claim_s = claim_s

    async def take(self, limit: int) -> list[Claimed]:
        """Claim what is due, the most urgent lane first."""
        # A look without a lock first: most often there is nothing, and on SQLite a lock keeps every writer waiting.
        if not await OutboxMessage.filter_by(lane__in=LANES, visible_at__le=utc_now()).exists():
            return []
        return await self._database.run(lambda: self._take(limit))

    async def _take(self, limit: int) -> list[Claimed]:
        rows: list[OutboxMessage] = []
        for lane in LANES:
            due = OutboxMessage.filter_by(lane=lane, visible_at__le=utc_now()).order_by("visible_at", "id")
            rows += await due.limit(limit - len(rows)).lock(skip_locked=True).all()
            if len(rows) >= limit:
                break
        if rows:
            # Also reads the rows again, and with them the claim.
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

    async def confirmed(self, claimed: Sequence[Claimed], *, strandings: int, stranded_after_s: float) -> None:
        """The broker has them. They come back unless their consumer settles them in time."""
        await self._end(
            claimed,
            attempts=0,
            strandings=strandings,
            published_at=utc_now(),
            visible_at=utc_now(stranded_after_s),
            claimed_until=None,
        )

    async def refused(self, claimed: Sequence[Claimed], *, attempts: int, delay_s: float) -> None:
        """The broker did not take them. They come back after a while, as never published."""
        await self._end(claimed, attempts=attempts, published_at=None, visible_at=utc_now(delay_s), claimed_until=None)

    async def put_back(self, claimed: Sequence[Claimed], *, delay_s: float) -> None:
        """Nothing was done with them. They come back after a while, as they were."""
        await self._end(claimed, visible_at=utc_now(delay_s), claimed_until=None)

    async def put_off(self, queue: str, *, published_within_s: float, delay_s: float) -> int:
        """Let what is due and was published into a queue, no longer ago than that, wait on: unread, as it may be much.

        :returns: how many.
        """
        count = 0
        for lane in LANES:
            while part := await self._database.run(partial(_put_off, lane, queue, published_within_s, delay_s)):
                count += part
                if part < PUT_OFF_AT_ONCE:
                    break
        return count

    async def published_before(self, claimed: Sequence[Claimed], *, age_s: float) -> set[UUID]:
        """Which of them were published longer ago than that."""
        ids = [one.id for one in claimed]
        return set(await OutboxMessage.filter_by(id__in=ids, published_at__lt=utc_now(-age_s)).pluck("id"))

    async def _end(self, claimed: Collection[Claimed], **values: object) -> None:
        if not claimed:
            return
        claims = {one.until for one in claimed}

        async def update() -> None:
            for until in claims:
                ids = [one.id for one in claimed if one.until == until]
                await OutboxMessage.filter_by(id__in=ids, claimed_until=until).update(**values)

        await self._database.run(update)


async def _put_off(lane: int, queue: str, published_within_s: float, delay_s: float) -> int:
    due = OutboxMessage.filter_by(
        lane=lane, queue=queue, visible_at__le=utc_now(), published_at__ge=utc_now(-published_within_s)
    )
    ids = await due.order_by("visible_at", "id").limit(PUT_OFF_AT_ONCE).lock(skip_locked=True).pluck("id")
    if not ids:
        return 0
    await OutboxMessage.filter_by(id__in=ids).update(visible_at=utc_now(delay_s), claimed_until=None)
    return len(ids)
