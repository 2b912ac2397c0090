"""Counters of failed sign-ins."""

import asyncio

from bongsu.runtime.dependencies import find
from bongsu_auth.sessions.limits import Attempt, LoginLimits
from bongsu_auth.sessions.models import LoginFailures
from services.auth.tests.stage import Stage

CONCURRENT = 8


class TestCountFailure:
    async def test_each_concurrent_failure_counts(self, each_stage: Stage) -> None:
        limits, database = find(each_stage.app, LoginLimits), each_stage.database
        connected = asyncio.Barrier(CONCURRENT)

        async def failed() -> None:
            await database.ping()  # each has a connection, so that they run concurrently
            await connected.wait()
            await limits.count_failure(Attempt("a@example.com", "192.0.2.1", known_device=False))

        await asyncio.gather(*(failed() for _ in range(CONCURRENT)))
        assert await LoginFailures.query().pluck("failures") == [CONCURRENT] * 3

    async def test_concurrent_wrong_logins_are_all_refused(self, each_stage: Stage) -> None:
        answers = await asyncio.gather(
            *(each_stage.login(f"{number}@example.com", "wrong password") for number in range(CONCURRENT))
        )
        assert {answer.status_code for answer in answers} == {401}
