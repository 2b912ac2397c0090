import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from bongsu.runtime.stop import StopSignal
from bongsu_notify import holding
from bongsu_notify.holding import Abandoned, until_database_answers


class TestUntilDatabaseAnswers:
    async def test_work_is_repeated_until_it_succeeds(self, stop: StopSignal) -> None:
        failures = [OperationalError("SELECT", {}, Exception("gone away")), ConnectionResetError()]

        async def work() -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert await until_database_answers(work, stop) == "done"

    async def test_a_database_that_vanished_is_given_up_and_tried_again(
        self, stop: StopSignal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "ANSWER_S", 0.05)
        tries = 0

        async def work() -> str:
            nonlocal tries
            tries += 1
            if tries == 1:
                await asyncio.Event().wait()
            return "done"

        async with asyncio.timeout(10):
            assert await until_database_answers(work, stop) == "done"

    async def test_the_stop_ends_it(self, stop: StopSignal) -> None:
        async def work() -> None:
            stop.set()
            raise ConnectionResetError

        with pytest.raises(Abandoned):
            await until_database_answers(work, stop)

    async def test_a_defect_is_raised(self, stop: StopSignal) -> None:
        async def work() -> None:
            raise KeyError("x")

        with pytest.raises(KeyError):
            await until_database_answers(work, stop)
