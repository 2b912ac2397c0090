"""How long answers take, for those that must not tell by it what the auth service knows."""

import statistics
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Took:
    """By the clock, and in work: the processor's time of all threads, which other processes take no part in."""

    elapsed_s: float
    worked_s: float


async def took(answer: Awaitable[object]) -> Took:
    """How long an answer takes."""
    elapsed_s, worked_s = time.perf_counter(), time.process_time()
    await answer
    return Took(time.perf_counter() - elapsed_s, time.process_time() - worked_s)


def assert_alike(one: Sequence[Took], other: Sequence[Took]) -> None:
    """That they cannot be told apart.

    The work is nearly the same wherever it is done. The clock differs by a quarter on a machine that has more to do,
    and is looked at only for who waits where the others do not.
    """
    assert _difference([each.worked_s for each in one], [each.worked_s for each in other]) < 0.25
    assert _difference([each.elapsed_s for each in one], [each.elapsed_s for each in other]) < 0.5


def _difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Between the two medians, as a part of the larger."""
    medians = (statistics.median(one), statistics.median(other))
    return (max(medians) - min(medians)) / max(medians)
