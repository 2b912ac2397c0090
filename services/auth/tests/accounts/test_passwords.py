"""Hashing passwords outside of the event loop."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from bongsu.runtime.errors import Unavailable
from bongsu_auth.accounts.passwords import MIN_CHARS, PasswordHasher, Verdict, common_passwords, password_problem


@pytest.fixture
def hasher() -> PasswordHasher:
    return PasswordHasher(workers=1, queue=2)


class TestVerify:
    async def test_right_password_is_accepted(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash("correct horse")
        assert await hasher.verify("correct horse", hashed) == Verdict(right=True)
        assert await hasher.verify("wrong horse", hashed) == Verdict(right=False)

    @pytest.mark.parametrize("hashed", [None, ""])
    async def test_every_password_is_refused_without_a_hash(self, hasher: PasswordHasher, hashed: str | None) -> None:
        assert await hasher.verify("", hashed) == Verdict(right=False)

    async def test_call_is_refused_when_the_queue_is_full(self, hasher: PasswordHasher) -> None:
        held = threading.Event()
        waiting = [asyncio.create_task(hasher._run(held.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as caught:
            await hasher.hash("one too many")
        held.set()
        await asyncio.gather(*waiting)
        assert caught.value.retry_after_s is not None
        assert await hasher.hash("room again")

    async def test_cancelled_caller_frees_no_place_while_its_thread_works(self, hasher: PasswordHasher) -> None:
        held = threading.Event()
        running = [asyncio.create_task(hasher._run(held.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        running[0].cancel()
        await asyncio.gather(running[0], return_exceptions=True)
        with pytest.raises(Unavailable):
            await hasher.hash("one too many")
        held.set()
        await asyncio.gather(*running[1:])

    async def test_calls_that_one_thread_takes_together_each_get_their_own_result(self, hasher: PasswordHasher) -> None:
        def fail() -> int:
            raise ZeroDivisionError

        held, hasher._limit = threading.Event(), 20
        first = asyncio.create_task(hasher._run(held.wait))
        works: list[Callable[[], int]] = [lambda: 1, fail, lambda: 3, lambda: 4, lambda: 5, lambda: 6]
        waiting = [asyncio.create_task(hasher._run(work)) for work in works]
        await asyncio.sleep(0)
        waiting[2].cancel()
        held.set()
        results = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [result if isinstance(result, int) else type(result) for result in results] == [
            True,
            1,
            ZeroDivisionError,
            asyncio.CancelledError,
            4,
            5,
            6,
        ]
        assert hasher._pending == 0


class TestPasswordProblem:
    @pytest.mark.parametrize("password", ["a" * 9, "a" * 257, "Somebody@Example.com", " somebody@example.com "])
    def test_weak_password_is_refused(self, password: str) -> None:
        assert password_problem(password, "somebody@example.com")

    @pytest.mark.parametrize("password", ["a" * 10, "a" * 256, "비밀번호비밀번호비밀"])
    def test_strong_password_is_accepted(self, password: str) -> None:
        assert password_problem(password, "somebody@example.com") is None


class TestCommonPasswords:
    def test_list_has_only_passwords_that_are_long_enough(self) -> None:
        assert min(map(len, common_passwords())) >= MIN_CHARS
        assert len(common_passwords()) > 1000

    @pytest.mark.parametrize("password", ["password123", "Password123", " qwertyuiop "])
    def test_common_password_is_refused_in_any_case(self, password: str) -> None:
        assert password_problem(password, None) is not None
