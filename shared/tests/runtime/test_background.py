import asyncio

import pytest
from structlog.testing import capture_logs

from bongsu.runtime.background import in_background, together


async def note_end(ended: list[str]) -> None:
    """Wait until cancelled, then end a turn of the event loop later."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append("work")


class TestInBackground:
    async def test_work_runs_beside_the_block(self) -> None:
        done = asyncio.Event()

        async def work() -> None:
            done.set()

        async with in_background(work(), name="work"):
            await done.wait()

    async def test_work_has_ended_after_the_block(self) -> None:
        ended: list[str] = []
        async with in_background(note_end(ended), name="work"):
            await asyncio.sleep(0)
        assert ended == ["work"]

    async def test_failure_is_logged_when_it_happens_and_raised_at_the_end(self) -> None:
        failed = asyncio.Event()

        async def work() -> None:
            failed.set()
            raise LookupError("gone")

        async def block() -> None:
            async with in_background(work(), name="poller"):
                await failed.wait()
                await asyncio.sleep(0)
                assert [(entry["event"], entry["task"]) for entry in logs] == [("background.failed", "poller")]

        with capture_logs() as logs, pytest.raises(LookupError):
            await block()

    async def test_caller_is_cancelled_when_that_happens_at_the_end(self) -> None:
        entered, ending, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await may_end.wait()

        async def block() -> None:
            async with in_background(work(), name="work"):
                await asyncio.sleep(0)
                entered.set()

        task = asyncio.create_task(block())
        await entered.wait()
        await ending.wait()
        task.cancel()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestTogether:
    async def test_results_are_in_the_order_of_the_works(self) -> None:
        first_may_end = asyncio.Event()

        async def first() -> str:
            await first_may_end.wait()
            return "first"

        async def second() -> int:
            first_may_end.set()
            return 2

        assert await together(first(), second()) == ("first", 2)

    async def test_others_have_ended_when_one_fails(self) -> None:
        ended: list[str] = []

        async def fail() -> None:
            await asyncio.sleep(0)
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - the work's own
            await together(note_end(ended), fail())
        assert ended == ["work"]
