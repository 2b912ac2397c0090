"""The comparison of response times tells two distributions apart."""

import asyncio
import random

import httpx
import pytest

from services.auth.tests.timing import ALIKE, ROUNDS, SAMPLES, assert_alike, distance

OK = httpx.Response(200)


def normal(seed: int, mean: float, deviation: float) -> list[float]:
    numbers = random.Random(seed)  # noqa: S311 - samples, no secret
    return [numbers.gauss(mean, deviation) for _ in range(SAMPLES)]


class TestDistance:
    def test_samples_of_one_distribution_are_alike(self) -> None:
        assert max(distance(normal(seed, 10, 1), normal(seed + 1000, 10, 1)) for seed in range(100)) < ALIKE

    @pytest.mark.parametrize(("mean", "deviation"), [(11, 1), (9, 1), (10, 3)])
    def test_other_mean_or_spread_is_not_alike(self, mean: float, deviation: float) -> None:
        """A comparison of medians misses the spread."""
        found = [distance(normal(seed, 10, 1), normal(seed + 1000, mean, deviation)) for seed in range(100)]
        assert sum(each > ALIKE for each in found) > 60
        assert min(distance(normal(seed, 10, 1), normal(seed, 460, 20)) for seed in range(10)) == pytest.approx(1)

    def test_equal_values_do_not_depend_on_their_order(self) -> None:
        assert distance([1, 2, 2, 3], [2, 1, 3, 2]) == pytest.approx(0)


class TestAssertAlike:
    @pytest.mark.parametrize("apart_s", [None, 0.0])
    async def test_slower_kind_is_found_in_every_round(self, apart_s: float | None) -> None:
        calls: list[int] = []

        async def fast(number: int) -> httpx.Response:
            calls.append(number)
            return OK

        async def slow(_number: int) -> httpx.Response:
            await asyncio.sleep(0.002)
            return OK

        with pytest.raises(AssertionError):
            await assert_alike(fast, slow, apart_s=apart_s)
        assert calls == list(range(ROUNDS * SAMPLES))
