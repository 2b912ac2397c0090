"""Response times, for responses whose time must not reveal what auth knows."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import httpx

SAMPLES = 200
ROUNDS = 3
ALIKE = 0.25
"""The largest distance of two sets of samples that count as one distribution.

By chance, 200 samples each of one distribution are further apart in one of 100,000 rounds. An observer who may choose
the best limit tells at most five of eight responses right at this distance, in place of four.
"""

Request = Callable[[int], Awaitable[httpx.Response]]


async def assert_alike(
    one: Request,
    other: Request,
    *,
    apart_s: float | None = None,
    before_round: Callable[[], Awaitable[None]] | None = None,
) -> list[httpx.Response]:
    """Assert that the times of two kinds of requests have one distribution, in the best of three rounds.

    The kinds alternate, and either comes first as often, so that other processes disturb both alike. Returns the
    responses.

    :param one: makes the request of a number, which is counted up.
    :param apart_s: for responses after a fixed time: the next request starts so much later, while the others wait.
    :param before_round: prepares the requests of the next round, outside of the times.
    """
    numbers, distances, responses = count(), list[float](), list[httpx.Response]()
    while len(distances) < ROUNDS and min(distances, default=1.0) > ALIKE:
        if before_round is not None:
            await before_round()
        requests = list[tuple[bool, Awaitable[httpx.Response]]]()
        for number in (next(numbers) for _ in range(SAMPLES)):
            pair = [(True, one(number)), (False, other(number))]
            requests += pair if number % 2 == 0 else pair[::-1]
        timed = [_timed(request, 0 if apart_s is None else at * apart_s) for at, (_, request) in enumerate(requests)]
        results = [await each for each in timed] if apart_s is None else await asyncio.gather(*timed)
        took: dict[bool, list[float]] = {True: [], False: []}
        for (kind, _), (elapsed_s, response) in zip(requests, results, strict=True):
            took[kind].append(elapsed_s)
            responses.append(response)
        distances.append(distance(took[True], took[False]))
    assert min(distances) <= ALIKE, distances
    return responses


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the Kolmogorov-Smirnov statistic: the largest difference of the cumulative distributions, 0 to 1."""
    steps = sorted([(value, 1 / len(one)) for value in one] + [(value, -1 / len(other)) for value in other])
    largest = height = 0.0
    for at, (value, step) in enumerate(steps):
        height += step
        if at + 1 == len(steps) or steps[at + 1][0] != value:
            largest = max(largest, abs(height))
    return largest


async def _timed(request: Awaitable[httpx.Response], after_s: float) -> tuple[float, httpx.Response]:
    await asyncio.sleep(after_s)
    began_s = time.perf_counter()
    response = await request
    return time.perf_counter() - began_s, response
