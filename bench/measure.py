"""Measuring ours against a baseline, interleaved: A B B A … on one machine, so that only their ratio matters.

The ratio is the median of the ratios of neighbours, as another process disturbs both of them alike, or one pair only.
"""

import gc
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from statistics import median, quantiles

Work = Callable[[int], Awaitable[None]]
"""Does its operation the given number of times."""


@dataclass(frozen=True)
class Staged:
    """A work for which something has to be made ready, as often, before the clock starts."""

    prepare: Work
    work: Work

    async def __call__(self, operations: int) -> None:
        await self.work(operations)


ROUND_S = 0.15  # a round is long enough that the clock's steps and the scheduler's do not show
SHORT_ROUND_S = 0.02  # for the CPU's clock, which has finer steps: of many short pairs, most are undisturbed


class Clock(Enum):
    CPU = "cpu"  # of this process, all its threads
    WALL = "wall"

    def read(self) -> float:
        return time.process_time() if self is Clock.CPU else time.perf_counter()


class Ratio(Enum):
    """What the ratio of a benchmark compares."""

    COST = "cost"  # our time an operation over the baseline's: less is better
    RATE = "rate"  # our operations a second over the baseline's: more is better


@dataclass(frozen=True)
class Budget:
    """The ratio that may not be exceeded (COST) or missed (RATE)."""

    ratio: Ratio
    limit: float

    def of(self, ours_s: float, baseline_s: float) -> float:
        return ours_s / baseline_s if self.ratio is Ratio.COST else baseline_s / ours_s

    def is_kept(self, value: float) -> bool:
        return value <= self.limit if self.ratio is Ratio.COST else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.ratio is Ratio.COST else '≥'} {self.limit:g}x"


def at_most(limit: float) -> Budget:
    return Budget(Ratio.COST, limit)


def at_least(limit: float) -> Budget:
    return Budget(Ratio.RATE, limit)


@dataclass(frozen=True)
class Pair:
    """The two sides of a benchmark, ready to run. ``count`` tells how many statements (or messages) a work caused."""

    ours: Work
    baseline: Work
    count: Callable[[Work], Awaitable[int]] | None = None


@dataclass(frozen=True)
class Benchmark:
    """``budget`` None means report only. ``units`` is how many things one operation handles (rows of a bulk insert).

    ``round_s`` is how long a round takes, about: longer where many operations run concurrently, so that the
    beginning and the end of a round, where they are fewer, do not show.
    """

    name: str
    prepare: Callable[[], AbstractAsyncContextManager[Pair]]
    budget: Budget | None
    clock: Clock = Clock.CPU
    units: int = 1
    round_s: float = ROUND_S


@dataclass(frozen=True)
class Latency:
    """A latency with a limit. `measure` returns samples, in seconds; their 99th percentile counts."""

    name: str
    measure: Callable[[], Awaitable[list[float]]]
    limit_s: float


@dataclass(frozen=True)
class Result:
    name: str
    clock: Clock
    ours_s: float  # a unit
    baseline_s: float
    ratio: float
    budget: Budget | None
    counts: tuple[int, int] | None = None
    rounds: int = 0
    samples: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []), repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether the budget is kept, and as many statements were used as by the baseline."""
        within = self.budget is None or self.budget.is_kept(self.ratio)
        return within and (self.counts is None or self.counts[0] <= self.counts[1])


async def timed(work: Work, operations: int, clock: Clock) -> float:
    """The time of one operation, without the garbage collector's visits."""
    if isinstance(work, Staged):
        await work.prepare(operations)
    gc.collect()
    gc.disable()
    try:
        start = clock.read()
        await work(operations)
        return (clock.read() - start) / operations
    finally:
        gc.enable()


async def operations_for_a_round(work: Work, clock: Clock, round_s: float) -> int:
    operations = 1
    while (taken := await timed(work, operations, clock) * operations) < round_s / 2:
        operations = max(operations * 2, int(operations * round_s / taken) if taken > round_s / 20 else 0)
    return max(1, round(operations * round_s / taken))


async def run_latency(benchmark: Latency, rounds: int) -> Result:
    """Measure a latency `rounds` times; the median counts. The limit takes the baseline's place."""
    measured = [quantiles(await benchmark.measure(), n=100)[98] for _ in range(rounds)]
    p99, budget = median(measured), at_most(1)
    return Result(
        benchmark.name,
        Clock.WALL,
        p99,
        benchmark.limit_s,
        budget.of(p99, benchmark.limit_s),
        budget,
        rounds=rounds,
        samples=(measured, []),
    )


async def run(benchmark: Benchmark, rounds: int, round_s: float | None = None) -> Result:
    """Measure one benchmark: a warm-up of both sides, then ``rounds`` times ours and the baseline in turn.

    Of rounds that are shorter than usual there are more, so that they take as long together.
    """
    round_s = round_s or benchmark.round_s
    async with benchmark.prepare() as pair:
        sides = (pair.ours, pair.baseline)
        operations = [await operations_for_a_round(side, benchmark.clock, round_s) for side in sides]
        samples: tuple[list[float], list[float]] = ([], [])
        gc.collect()
        gc.freeze()  # what is there already need not be visited before every round
        try:
            for number in range(max(rounds, round(rounds * ROUND_S / round_s))):
                for side in (0, 1) if number % 2 == 0 else (1, 0):
                    took_s = await timed(sides[side], operations[side], benchmark.clock)
                    samples[side].append(took_s / benchmark.units)
        finally:
            gc.unfreeze()
        counts = None
        if pair.count is not None:
            counts = (await pair.count(pair.ours), await pair.count(pair.baseline))
    budget = benchmark.budget
    ratio = median(map((budget or at_least(0)).of, *samples))
    ours_s, baseline_s = map(median, samples)
    return Result(benchmark.name, benchmark.clock, ours_s, baseline_s, ratio, budget, counts, len(samples[0]), samples)


def is_clear_of(limit: float, ratios: Sequence[float]) -> bool:
    """Whether the confidence interval (95 %) of the median of the ratios leaves out the limit."""
    ordered, reach = sorted(ratios), math.sqrt(len(ratios))
    low, high = (ordered[round((len(ordered) - 1) / 2 + offset)] for offset in (-reach, reach))
    return high < limit or low > limit
