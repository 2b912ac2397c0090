"""Response times, for responses whose time must not reveal what auth knows."""

import statistics
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Took:
    """Elapsed time, and processor time of all threads, which does not depend on other processes."""

    elapsed_s: float
    worked_s: float


async def took(answer: Awaitable[object]) -> Took:
    """Measure a response."""
    elapsed_s, worked_s = time.perf_counter(), time.process_time()
    await answer
    return Took(time.perf_counter() - elapsed_s, time.process_time() - worked_s)


def assert_alike(one: Sequence[Took], other: Sequence[Took]) -> None:
    """Assert that the two cannot be distinguished.

    The processor time is nearly the same on every machine. The elapsed time varies by a quarter on a busy one, and only
    shows whether one of them waits.
    """
    assert _difference([each.worked_s for each in one], [each.worked_s for each in other]) < 0.25
    assert _difference([each.elapsed_s for each in one], [each.elapsed_s for each in other]) < 0.5


def _difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the difference of the medians, as a fraction of the larger."""
    medians = (statistics.median(one), statistics.median(other))
    return (max(medians) - min(medians)) / max(medians)
