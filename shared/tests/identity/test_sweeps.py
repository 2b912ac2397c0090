"""Deleting expired rows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database, Query, utc_now

EXPIRED = {"expires_at__lt": utc_now()}


async def use(how_many: int, *, expires_at: datetime) -> None:
    start = await RequestNonce.row_count()
    await RequestNonce.bulk_create(
        {"digest": f"{number}", "expires_at": expires_at} for number in range(start, start + how_many)
    )


class TestSweep:
    @pytest.mark.parametrize("expired", [0, 9, 10, 25])
    async def test_expired_rows_are_deleted_in_chunks(self, each_database: Database, expired: int) -> None:
        now, minute = datetime.now(UTC), timedelta(minutes=1)
        await use(expired, expires_at=now - minute)
        await use(5, expires_at=now + minute)
        committed: list[int] = []
        event.listen(each_database.engine.sync_engine, "commit", lambda _: committed.append(1))
        assert await sweep(RequestNonce, 10, **EXPIRED) == expired
        assert await RequestNonce.row_count() == 5
        assert len(committed) >= -(-expired // 10)

    async def test_row_stays_when_it_is_renewed_meanwhile(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await use(2, expires_at=datetime.now(UTC) - timedelta(minutes=1))
        deleted = Query.delete

        async def renewed(query: Query[RequestNonce], *, hard: bool = False) -> int:
            await RequestNonce.filter_by(digest="0").update(expires_at=datetime.now(UTC) + timedelta(minutes=1))
            return await deleted(query, hard=hard)

        del database
        monkeypatch.setattr(Query, "delete", renewed)
        assert await sweep(RequestNonce, **EXPIRED) == 1
        assert await RequestNonce.query().pluck("digest") == ["0"]
