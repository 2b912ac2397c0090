"""Counters of failed sign-ins."""

import asyncio

from bongsu.runtime.dependencies import find
from bongsu_auth.sessions.limits import Attempt, LoginLimits
from bongsu_auth.sessions.models import LoginFailures
from services.auth.tests.stage import Stage

AT_ONCE = 8


class TestCountFailure:
    async def test_of_many_at_once_every_one_counts(self, each_stage: Stage) -> None:
        limits, database = find(each_stage.app, LoginLimits), each_stage.database
        connected = asyncio.Barrier(AT_ONCE)

        async def failed() -> None:
            await database.ping()  # each has a connection, so that they meet
            await connected.wait()
            await limits.count_failure(Attempt("a@example.com", "192.0.2.1", known_device=False))

        await asyncio.gather(*(failed() for _ in range(AT_ONCE)))
        assert await LoginFailures.query().pluck("failures") == [AT_ONCE] * 3

    async def test_wrong_logins_at_once_are_all_told_so(self, each_stage: Stage) -> None:
        answers = await asyncio.gather(
            *(each_stage.login(f"{number}@example.com", "wrong password") for number in range(AT_ONCE))
        )
        assert {answer.status_code for answer in answers} == {401}
