import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from bench import measure
from bench.measure import Benchmark, Budget, Clock, Pair, Result, Staged, Work, at_least, at_most, is_clear_of, run
from bench.report import as_json, duration, table

RESULT = Result("mixins: get", Clock.CPU, ours_s=0.00022, baseline_s=0.0002, ratio=1.1, budget=at_most(1.15))


class Machine:
    """A clock that only work moves on, by a known time an operation; it remembers who worked."""

    def __init__(self, **seconds_an_operation: float) -> None:
        self.now = 0.0
        self.worked: list[str] = []
        self.slows_by = 1.0
        """How much slower each work makes the machine."""
        self._seconds = seconds_an_operation

    def work(self, name: str) -> Work:
        async def work(operations: int) -> None:
            self.worked.append(name)
            self.now += operations * self._seconds[name] * self.slows_by ** len(self.worked)

        return work

    def pair(self, counts: dict[str, int] | None = None) -> Callable[[], AbstractAsyncContextManager[Pair]]:
        ours, baseline = self.work("ours"), self.work("baseline")

        async def count(work: Work) -> int:
            return (counts or {})["ours" if work is ours else "baseline"]

        @asynccontextmanager
        async def prepare() -> AsyncIterator[Pair]:
            yield Pair(ours, baseline, count if counts else None)

        return prepare


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(ours=0.003, baseline=0.001)
    monkeypatch.setattr(measure.Clock, "read", lambda _clock: machine.now)
    # In the process of a whole test run it takes long, and this machine's work leaves nothing to collect.
    monkeypatch.setattr(gc, "collect", lambda: 0)
    return machine


class TestRun:
    async def test_prepare_runs_for_each_measurement_and_is_not_measured(self, machine: Machine) -> None:
        made: list[int] = []
        machine_s_ours = machine.work("ours")

        async def prepare(operations: int) -> None:
            made.append(operations)
            machine.now += 100

        @asynccontextmanager
        async def pair() -> AsyncIterator[Pair]:
            yield Pair(Staged(prepare, machine_s_ours), machine.work("baseline"))

        result = await run(Benchmark("staged", pair, at_most(9)), rounds=3)
        assert result.ratio == pytest.approx(3)
        assert len(made) == machine.worked.count("ours")

    async def test_a_benchmark_has_rounds_of_its_own_length(self, machine: Machine) -> None:
        await run(Benchmark("long", machine.pair(), at_most(9), round_s=measure.ROUND_S * 10), rounds=1)
        long = machine.now
        machine.now = 0.0
        await run(Benchmark("short", machine.pair(), at_most(9)), rounds=1)
        assert long > machine.now * 5

    async def test_the_two_sides_take_turns_at_being_first(self, machine: Machine) -> None:
        await run(Benchmark("turns", machine.pair(), at_most(9)), rounds=4)
        assert machine.worked[-8:] == ["ours", "baseline", "baseline", "ours"] * 2

    async def test_short_rounds_are_more(self, machine: Machine) -> None:
        result = await run(Benchmark("short", machine.pair(), at_most(9), round_s=measure.ROUND_S / 5), rounds=3)
        assert result.rounds == 15

    async def test_ratio_is_that_of_neighbours_when_the_machine_becomes_slower(self, machine: Machine) -> None:
        machine.slows_by = 1.3
        result = await run(Benchmark("disturbed", machine.pair(), at_most(9)), rounds=8)
        assert 2 < result.ratio < 4
        assert result.samples[0][-1] > result.samples[0][0] * 9

    async def test_a_cost_is_our_time_over_the_baselines(self, machine: Machine) -> None:
        result = await run(Benchmark("cost", machine.pair(), at_most(9)), rounds=3)
        assert result.ratio == pytest.approx(3)

    async def test_a_rate_is_our_operations_over_the_baselines(self, machine: Machine) -> None:
        result = await run(Benchmark("rate", machine.pair(), at_least(0.1)), rounds=3)
        assert result.ratio == pytest.approx(1 / 3)

    async def test_times_are_those_of_one_unit(self, machine: Machine) -> None:
        result = await run(Benchmark("units", machine.pair(), at_most(9), units=10), rounds=3)
        assert result.ours_s == pytest.approx(0.0003)

    async def test_more_statements_than_the_baseline_miss_the_budget(self, machine: Machine) -> None:
        chatty = machine.pair({"ours": 11, "baseline": 10})
        result = await run(Benchmark("chatty", chatty, at_most(9)), rounds=1)
        assert result.counts == (11, 10)
        assert not result.is_kept


class TestBudget:
    @pytest.mark.parametrize(
        ("budget", "ratio", "kept"),
        [
            (at_most(1.15), 1.15, True),
            (at_most(1.15), 1.16, False),
            (at_least(0.9), 0.9, True),
            (at_least(0.9), 0.89, False),
        ],
    )
    def test_the_limit_itself_is_within(self, budget: Budget, ratio: float, kept: bool) -> None:
        assert budget.is_kept(ratio) is kept


class TestTable:
    def test_a_row_has_both_times_the_ratio_and_the_verdict(self) -> None:
        line = table([RESULT]).splitlines()[-1]
        assert line.split() == ["mixins:", "get", "cpu", "220", "µs", "200", "µs", "1.10x", "≤", "1.15x", "kept"]

    def test_line_shows_a_missed_budget(self) -> None:
        assert table([replace(RESULT, ratio=1.2)]).endswith("MISSED")

    def test_table_only_reports_when_there_is_no_budget(self) -> None:
        assert table([replace(RESULT, budget=None)]).endswith("report")

    def test_too_many_statements_are_named(self) -> None:
        assert table([replace(RESULT, counts=(11, 10))]).endswith("MISSED: 11 statements for 10")


class TestAsJson:
    def test_json_contains_the_samples(self) -> None:
        assert '"samples"' in as_json([RESULT])


class TestDuration:
    @pytest.mark.parametrize(
        ("seconds", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (0.00022, "220 µs"), (1.7e-7, "170 ns")]
    )
    def test_duration_picks_the_unit(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text


class TestIsClearOf:
    @pytest.mark.parametrize(
        ("median", "is_clear"), [(1.0, True), (1.25, False), (1.3, False), (1.35, False), (1.6, True)]
    )
    def test_median_is_clear_of_the_limit_when_the_ratios_scatter_less(self, median: float, is_clear: bool) -> None:
        ratios = [median + (number - 15) / 50 for number in range(31)]
        assert is_clear_of(1.3, ratios) is is_clear

    def test_median_is_clear_of_the_limit_when_there_are_more_ratios(self) -> None:
        ratios = [1.25 + (number - 15) / 100 for number in range(31)]
        assert not is_clear_of(1.3, ratios)
        assert is_clear_of(1.3, ratios * 4)
