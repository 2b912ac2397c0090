"""Limits on guesses: each is counted before its secret is checked."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from bongsu.runtime.errors import Unavailable
from bongsu_auth.errors import TooManyLogins
from bongsu_auth.sessions.limits import CONCURRENT, Attempt, GuessLimits
from bongsu_auth.sessions.models import LoginFailures
from services.auth.tests.stage import Stage

FREE = 4
EMAIL = "a@example.com"


def limits_of(stage: Stage, *, free: int = FREE, pending_for: timedelta = timedelta(seconds=100)) -> GuessLimits:
    return GuessLimits(
        stage.database,
        per_account_and_address=free,
        per_account=20,
        per_address=100,
        first_wait_s=900,
        outcome_wait_s=100,
        pending_for=pending_for,
    )


async def guess(
    limits: GuessLimits, *, right: bool = False, device: UUID | None = None, account: str = EMAIL, network: int = 1
) -> str:
    """Return `right`, `wrong` or `wait`."""

    async def check() -> bool | None:
        await asyncio.sleep(0)
        return right or None

    try:
        found = await limits.guard(Attempt(account, f"192.0.2.{network}", device), check)
    except TooManyLogins:
        return "wait"
    return "wrong" if found is None else "right"


class TestGuard:
    async def test_concurrent_guesses_do_not_pass_the_limit_together(self, each_stage: Stage) -> None:
        replicas = [limits_of(each_stage) for _ in range(2)]
        answers = await asyncio.gather(*(guess(replicas[number % 2]) for number in range(40)))
        assert sorted(answers) == ["wait"] * (40 - FREE) + ["wrong"] * FREE
        assert max(await LoginFailures.query().pluck("failures")) == FREE

    async def test_right_secret_among_concurrent_guesses_is_refused_like_the_others(self, each_stage: Stage) -> None:
        limits = limits_of(each_stage)
        answers = await asyncio.gather(*(guess(limits, right=number == 39) for number in range(40)))
        assert sorted(answers) == ["wait"] * (40 - FREE) + ["wrong"] * FREE

    async def test_concurrent_right_secrets_do_not_reach_the_limit(self, each_stage: Stage) -> None:
        limits = limits_of(each_stage)
        assert FREE > CONCURRENT
        answers = await asyncio.gather(*(guess(limits, right=True) for _ in range(30)))
        assert answers == ["right"] * 30
        assert set(await LoginFailures.query().pluck("failures")) == {0}

    async def test_right_secrets_of_several_replicas_do_not_reach_the_limit(self, each_stage: Stage) -> None:
        """More are checked than are free."""
        replicas = [limits_of(each_stage, free=2) for _ in range(4)]
        answers = await asyncio.gather(*(guess(replicas[number % 4], right=True) for number in range(24)))
        assert answers == ["right"] * 24
        assert {(row.failures, row.pending) for row in await LoginFailures.query().all()} == {(0, 0)}

    async def test_guess_waits_for_the_outcome_of_those_before_when_they_decide(self, each_stage: Stage) -> None:
        replicas, outcome, checking = (
            [limits_of(each_stage, free=1) for _ in range(2)],
            asyncio.Event(),
            asyncio.Event(),
        )

        async def check(found: bool | None) -> bool | None:
            checking.set()
            await outcome.wait()
            return found

        for found, following in ((True, "right"), (None, "wait")):
            outcome.clear()
            checking.clear()
            first = asyncio.create_task(replicas[0].guard(Attempt(EMAIL, "192.0.2.1"), partial(check, found)))
            await checking.wait()
            second = asyncio.create_task(guess(replicas[1], right=True))
            _, waiting = await asyncio.wait({second}, timeout=0.1)
            assert waiting == {second}
            outcome.set()
            await first
            assert await second == following

    async def test_right_secret_among_concurrent_ones_frees_the_shared_counter(self, stage: Stage) -> None:
        limits = GuessLimits(
            stage.database, per_account_and_address=9, per_account=2, per_address=9, first_wait_s=900, outcome_wait_s=0
        )
        async with (
            limits.reserve(Attempt(EMAIL, "192.0.2.1")) as right,
            limits.reserve(Attempt(EMAIL, "198.51.100.1")) as wrong,
        ):
            await stage.database.run(limits.release, right)
            await limits.confirm(wrong)
        assert await guess(limits, right=True, network=3) == "right"

    async def test_guess_without_an_outcome_counts_as_wrong_later(self, stage: Stage) -> None:
        limits = limits_of(stage, free=1)
        async with limits.reserve(Attempt(EMAIL, "192.0.2.1")):
            pass  # its process died: neither released nor confirmed
        await LoginFailures.query().unfiltered().update(pending_until=datetime.now(UTC))
        assert await guess(limits, right=True) == "wait"

    @pytest.mark.parametrize("is_right", [True, False])
    async def test_late_outcome_leaves_newer_guess_pending(self, each_stage: Stage, is_right: bool) -> None:
        slow, limits = limits_of(each_stage, pending_for=timedelta(0)), limits_of(each_stage)
        async with slow.reserve(Attempt(EMAIL, "192.0.2.1")) as late:
            pass
        async with limits.reserve(Attempt(EMAIL, "192.0.2.1")):
            pass
        if is_right:
            await each_stage.database.run(slow.release, late)
        else:
            await slow.confirm(late)
        counters = {(row.failures, row.pending) for row in await LoginFailures.query().all()}
        assert counters == {(1 if is_right else 2, 1)}

    async def test_guess_that_stays_pending_lets_none_past_the_limit(self, each_stage: Stage) -> None:
        """Its outcome came late, after a newer guess had prolonged the time of the pending ones."""
        limits = GuessLimits(
            each_stage.database,
            per_account_and_address=2,
            per_account=20,
            per_address=100,
            first_wait_s=900,
            outcome_wait_s=0,
            pending_for=timedelta(seconds=100),
        )
        slow = limits_of(each_stage, free=2, pending_for=timedelta(0))
        async with limits.reserve(Attempt(EMAIL, "192.0.2.1")) as newer:
            async with slow.reserve(Attempt(EMAIL, "192.0.2.1")) as late:
                await LoginFailures.query().unfiltered().update(pending_until=newer.pending_until)
            await slow.confirm(late)
        await limits.confirm(newer)
        assert {(row.failures, row.pending) for row in await LoginFailures.query().all()} == {(2, 1)}
        assert [await guess(limits, right=right) for right in (False, True)] == ["wait", "wait"]

    async def test_right_secret_takes_only_its_own_guess_off_the_shared_counters(self, each_stage: Stage) -> None:
        limits = limits_of(each_stage)
        for network in (1, 1, 2):
            assert await guess(limits, network=network) == "wrong"
        assert await guess(limits, right=True) == "right"
        # network 1: 2 wrong; account: 3 wrong; account and network 1: forgotten; network 2, also with the account: 1
        assert sorted(await LoginFailures.query().pluck("failures")) == [0, 1, 1, 2, 3]

    async def test_guess_that_was_not_checked_is_not_counted(self, stage: Stage) -> None:
        async def check() -> bool:
            raise Unavailable("the queue is full")

        limits = limits_of(stage, free=1)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await limits.guard(Attempt(EMAIL, "192.0.2.1"), check)
        assert await guess(limits, right=True) == "right"

    async def test_cancelled_guess_stays_counted(self, stage: Stage) -> None:
        """A client that disconnects early must not guess for free."""
        limits, checking = limits_of(stage), asyncio.Event()

        async def check() -> bool:
            checking.set()
            await asyncio.Event().wait()
            return True

        task = asyncio.create_task(limits.guard(Attempt(EMAIL, "192.0.2.1"), check))
        await checking.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert set(await LoginFailures.query().pluck("failures")) == {1}

    async def test_known_device_is_not_locked_out_by_guesses_behind_its_address(self, stage: Stage) -> None:
        limits, device = limits_of(stage), uuid4()
        while await guess(limits) == "wrong":
            pass
        for number in range(100):
            await guess(limits, account=f"{number}@example.com")
        assert await guess(limits, account="other@example.com") == "wait"
        assert await guess(limits, device=device) == "wrong"
        assert await guess(limits, device=device, right=True) == "right"

    async def test_known_device_has_a_limit_of_its_own(self, stage: Stage) -> None:
        limits, device = limits_of(stage), uuid4()
        answers = [await guess(limits, device=device) for _ in range(FREE + 1)]
        assert answers == ["wrong"] * FREE + ["wait"]
        assert await guess(limits, device=uuid4()) == "wrong"

    async def test_each_kind_of_secret_is_counted_by_itself(self, stage: Stage) -> None:
        limits = limits_of(stage, free=1)
        assert await guess(limits) == "wrong"

        async def check() -> bool:
            return True

        assert await limits.guard(Attempt(EMAIL, "192.0.2.1", secret="mfa"), check) is True
