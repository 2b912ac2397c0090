import asyncio
import itertools

import pytest

from tests.eventually import eventually, wait_until


class TestEventually:
    async def test_returns_the_first_true_result(self) -> None:
        calls = itertools.count()
        assert await eventually(lambda: next(calls)) == 1

    async def test_awaits_the_result_of_an_async_condition(self) -> None:
        calls = itertools.count()

        async def third_call() -> str:
            return "third" if next(calls) == 2 else ""

        assert await eventually(third_call) == "third"

    async def test_retries_when_an_assertion_fails(self) -> None:
        calls = itertools.count()

        def second_call() -> bool:
            assert next(calls) == 1
            return True

        assert await eventually(second_call)

    async def test_retries_only_the_exceptions_that_it_is_given(self) -> None:
        calls = itertools.count()

        def second_call() -> bool:
            if next(calls) == 0:
                raise ConnectionError
            return True

        with pytest.raises(ConnectionError):
            await eventually(second_call)
        calls = itertools.count()
        assert await eventually(second_call, ignoring=(ConnectionError,))

    async def test_shows_the_last_result_when_the_deadline_passes(self) -> None:
        with pytest.raises(AssertionError, match=r"not within 0\.02 s: list \(the last call returned \[\]\)"):
            await eventually(list, within_s=0.02)

    async def test_shows_the_last_exception_when_the_deadline_passes(self) -> None:
        def never() -> bool:
            raise ConnectionError("refused")

        with pytest.raises(AssertionError, match=r"the last call raised ConnectionError\('refused'\)") as caught:
            await eventually(never, within_s=0.02, ignoring=(ConnectionError,))
        assert isinstance(caught.value.__cause__, ConnectionError)

    async def test_interrupts_a_condition_that_hangs(self) -> None:
        with pytest.raises(AssertionError, match=r"not within 0\.02 s: Event\.wait"):
            await eventually(asyncio.Event().wait, within_s=0.02)


class TestWaitUntil:
    def test_returns_the_first_true_result(self) -> None:
        calls = itertools.count()
        assert wait_until(lambda: next(calls)) == 1

    def test_shows_the_last_result_when_the_deadline_passes(self) -> None:
        with pytest.raises(AssertionError, match=r"not within 0\.02 s: a mail \(the last call returned 0\)"):
            wait_until(int, 0.02, "a mail")
