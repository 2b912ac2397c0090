"""The IDENTIFYs that all shards of the bot share, over all of its processes: rows, by the database's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import Database, MixinError, utc_now
from bongsu.runtime.logging import get_logger
from bongsu_bot.shards.identify import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    LONGEST_SLEEP_S,
    OUTAGE_IDENTIFIES,
    OUTAGE_PAUSE_S,
    STABLE_S,
    IdentifyPostponed,
)
from bongsu_bot.shards.models import IdentifySlot

log = get_logger(__name__)
_GROWTH: Final = 4
POLL_S: Final = 1.0
_DATABASE_S: Final = 5.0
_EVERY_BUCKET: Final = -1
"""The slot of all shards, beside those of Discord's rate limit buckets."""


class IdentifyBudget:
    """Spaces the IDENTIFYs of all shards until one of them gets a session, as an outage of the gateway ends with that.

    The pause grows from `first_pause_s` to `OUTAGE_PAUSE_S`, and after `OUTAGE_IDENTIFIES` to `LONGEST_PAUSE_S`.
    Between shards that get their sessions, there is only the pause that Discord requires.

    :param first_pause_s: the pause after the first IDENTIFY without a session, in seconds.
    :param poll_s: how long a shard that waits sleeps at most, before it looks whether another one got its session.
    """

    def __init__(
        self,
        database: Database,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        poll_s: float = POLL_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._first_pause_s = first_pause_s
        self._poll_s = poll_s
        self._sleep = sleep

    async def claim(self, bucket: int, pause_s: float, *, within_s: float = LONGEST_SLEEP_S) -> None:
        """Wait until a shard may IDENTIFY, and claim that for it. Without the database, wait for `pause_s` only.

        :param bucket: the shard's rate limit bucket (its number modulo Discord's `max_concurrency`).
        :param pause_s: the pause that Discord requires between the IDENTIFYs of a bucket.
        :raises IdentifyPostponed: the shard may not IDENTIFY within this time.
        """
        waited_s = 0.0
        try:
            while (wait_s := await self.try_claim(bucket, pause_s)) > 0:
                if waited_s >= within_s:
                    raise IdentifyPostponed(wait_s)
                step_s = min(wait_s, self._poll_s, within_s - waited_s)
                await self._sleep(step_s)
                waited_s += step_s
        except (SQLAlchemyError, MixinError, OSError) as error:
            log.warning("identify.not_claimed", error=type(error).__name__)
            await self._sleep(pause_s)

    async def try_claim(self, bucket: int, pause_s: float) -> float:
        """Claim an IDENTIFY and return 0, or return how long to wait before the next attempt, in seconds."""
        async with asyncio.timeout(_DATABASE_S):
            return await self._database.run(_claim, bucket, pause_s, self._first_pause_s)

    async def record_session(self) -> None:
        """Record that an IDENTIFY was followed by a session: the gateway accepts them."""
        try:
            async with asyncio.timeout(_DATABASE_S):
                await self._database.run(_end_outage)
        except (SQLAlchemyError, MixinError, OSError) as error:
            log.warning("identify.session_not_recorded", error=type(error).__name__)


def pause_after(count: int, first_pause_s: float) -> float:
    """Return the pause after so many IDENTIFYs without a session, in seconds."""
    if count < OUTAGE_IDENTIFIES:
        return min(first_pause_s * float(_GROWTH ** (count - 1)), OUTAGE_PAUSE_S)
    return min(OUTAGE_PAUSE_S * 2.0 ** min(count - OUTAGE_IDENTIFIES + 1, 8), LONGEST_PAUSE_S)


async def _claim(bucket: int, pause_s: float, first_pause_s: float) -> float:
    every, _ = await _lock(_EVERY_BUCKET)
    own, now = await _lock(bucket)
    wait_s = (max(every.next_at, own.next_at) - now).total_seconds()
    if wait_s > 0:
        return wait_s
    is_stable = now > every.next_at + timedelta(seconds=STABLE_S)
    count = 1 if is_stable else every.count + 1
    pause = timedelta(seconds=pause_after(count, first_pause_s))
    await IdentifySlot.filter_by(id=every.id).update(next_at=now + pause, count=count)
    await IdentifySlot.filter_by(id=own.id).update(next_at=now + timedelta(seconds=pause_s))
    return 0.0


async def _lock(bucket: int) -> tuple[IdentifySlot, datetime]:
    """Lock a slot, and return it with the database's time: the clocks of the processes may differ."""
    await IdentifySlot.get_or_create({"next_at": utc_now()}, bucket=bucket)
    slot = IdentifySlot.filter_by(bucket=bucket)
    row = await slot.lock().one()
    (found,) = await slot.aggregate_by("bucket", now=utc_now())
    return row, cast("datetime", found["now"])


async def _end_outage() -> None:
    await IdentifySlot.filter_by(bucket=_EVERY_BUCKET).update(next_at=utc_now(), count=0)
