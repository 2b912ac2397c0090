"""Nonces of signed requests."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity import nonces
from bongsu.identity.models import RequestNonce
from bongsu.identity.nonces import NonceWriter, sweep_nonces, use_nonce

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


class TestNonceWriter:
    async def test_nonce_works_once(self) -> None:
        writer = NonceWriter()
        assert await writer.use("bak_a", "n1")
        assert not await writer.use("bak_a", "n1")
        assert not await NonceWriter().use("bak_a", "n1")
        assert not await use_nonce("bak_a", "n1")

    async def test_many_at_once_work_each_once(self) -> None:
        writer = NonceWriter()
        used = await asyncio.gather(*(writer.use("bak_a", f"n{number % 50}") for number in range(150)))
        assert used == [True] * 50 + [False] * 100

    async def test_of_many_writers_uses_at_once_one_works(self) -> None:
        used = await asyncio.gather(*(NonceWriter().use("bak_a", "n1") for _ in range(8)))
        assert used.count(True) == 1

    async def test_one_that_was_used_before_spoils_none_that_come_with_it(self) -> None:
        writer = NonceWriter()
        await writer.use("bak_a", "n3")
        assert await asyncio.gather(*(writer.use("bak_a", f"n{number}") for number in range(6))) == [
            True,
            True,
            True,
            False,
            True,
            True,
        ]

    async def test_those_that_come_while_others_are_written_share_a_statement(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        insert_all = nonces._insert_all

        async def noted(digests: list[str]) -> list[bool]:
            sizes.append(len(digests))
            return await insert_all(digests)

        monkeypatch.setattr(nonces, "_insert_all", noted)
        writer = NonceWriter()
        await asyncio.gather(*(writer.use("bak_a", f"n{number}") for number in range(250)))
        assert sizes == [nonces.AT_ONCE, 250 - nonces.AT_ONCE]

    async def test_a_request_that_leaves_takes_no_other_with_it(self) -> None:
        writer = NonceWriter()
        leaving, staying = (asyncio.create_task(writer.use("bak_a", nonce)) for nonce in ("n1", "n2"))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert not await writer.use("bak_a", "n1")

    async def test_a_failure_reaches_all_who_wait_and_none_after_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def down(_digests: list[str]) -> list[bool]:
            raise ConnectionError

        writer = NonceWriter()
        with monkeypatch.context() as broken:
            broken.setattr(nonces, "_insert_all", down)
            failed = await asyncio.gather(
                *(writer.use("bak_a", f"n{number}") for number in range(3)), return_exceptions=True
            )
        assert [type(one) for one in failed] == [ConnectionError] * 3
        assert await writer.use("bak_a", "n0")


class TestSweepNonces:
    async def test_only_what_no_fresh_signature_can_carry_is_removed(self) -> None:
        await use_nonce("bak_a", "new")
        await use_nonce("bak_a", "old")
        newest = await RequestNonce.order_by("-id").first()
        assert newest is not None
        await newest.update(expires_at=datetime.now(UTC) - timedelta(minutes=2))
        assert await sweep_nonces() == 1
        assert not await use_nonce("bak_a", "new")
