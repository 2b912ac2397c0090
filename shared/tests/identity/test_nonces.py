"""Nonces of signed requests."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.models import RequestNonce
from bongsu.identity.nonces import Nonces, sweep_nonces

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def nonces() -> Nonces:
    return Nonces()


class TestUse:
    async def test_nonce_works_once(self, nonces: Nonces) -> None:
        assert await nonces.use("bak_a", "n1")
        assert not await nonces.use("bak_a", "n1")

    async def test_same_nonce_works_for_another_key(self, nonces: Nonces) -> None:
        assert await nonces.use("bak_a", "n1")
        assert await nonces.use("bak_b", "n1")

    async def test_nonces_are_distinct_when_they_differ_in_case_or_accent(self, nonces: Nonces) -> None:
        assert await nonces.use("bak_a", "nonce")
        assert await nonces.use("bak_a", "NONCE")

    async def test_one_use_works_when_many_are_concurrent(self, nonces: Nonces) -> None:
        used = await asyncio.gather(*(nonces.use("bak_a", "n1") for _ in range(8)))
        assert used.count(True) == 1


class TestClose:
    async def test_close_finishes_the_uses_in_progress(self, nonces: Nonces) -> None:
        using = asyncio.create_task(nonces.use("bak_a", "n1"))
        await asyncio.sleep(0)
        await nonces.close()
        assert await RequestNonce.row_count() == 1
        assert await using


class TestSweepNonces:
    async def test_nonces_of_expired_signatures_are_deleted(self, nonces: Nonces) -> None:
        await nonces.use("bak_a", "new")
        await nonces.use("bak_a", "old")
        newest = await RequestNonce.order_by("-id").first()
        assert newest is not None
        await newest.update(expires_at=datetime.now(UTC) - timedelta(minutes=2))
        assert await sweep_nonces() == 1
        assert not await nonces.use("bak_a", "new")
