"""Nonces of signed requests."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.models import RequestNonce
from bongsu.identity.nonces import sweep_nonces, use_nonce

pytestmark = pytest.mark.usefixtures("each_database")


class TestUseNonce:
    async def test_nonce_works_once(self) -> None:
        assert await use_nonce("bak_a", "n1")
        assert not await use_nonce("bak_a", "n1")

    async def test_one_nonce_works_for_each_key(self) -> None:
        assert await use_nonce("bak_a", "n1")
        assert await use_nonce("bak_b", "n1")

    async def test_nonces_that_differ_in_case_or_accent_only_are_two(self) -> None:
        assert await use_nonce("bak_a", "nonce")
        assert await use_nonce("bak_a", "NONCE")

    async def test_of_many_uses_at_once_one_works(self) -> None:
        used = await asyncio.gather(*(use_nonce("bak_a", "n1") for _ in range(8)))
        assert used.count(True) == 1


class TestSweepNonces:
    async def test_only_what_no_fresh_signature_can_carry_is_removed(self) -> None:
        await use_nonce("bak_a", "new")
        await use_nonce("bak_a", "old")
        newest = await RequestNonce.order_by("-id").first()
        assert newest is not None
        await newest.update(expires_at=datetime.now(UTC) - timedelta(minutes=2))
        assert await sweep_nonces() == 1
        assert not await use_nonce("bak_a", "new")
