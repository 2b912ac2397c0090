"""Waiting for a state that nothing announces, by polling. The only polling loops of the tests are here."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

WITHIN_S = 60.0
"""The default deadline: as long as a busy machine may stall. A passing test never uses it up."""
POLL_S = 0.01


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]],
    *,
    within_s: float = WITHIN_S,
    poll_s: float = POLL_S,
    ignoring: tuple[type[Exception], ...] = (),
) -> T: ...
@overload
async def eventually(
    condition: Callable[[], T],
    *,
    within_s: float = WITHIN_S,
    poll_s: float = POLL_S,
    ignoring: tuple[type[Exception], ...] = (),
) -> T: ...
async def eventually(
    condition: Callable[[], object],
    *,
    within_s: float = WITHIN_S,
    poll_s: float = POLL_S,
    ignoring: tuple[type[Exception], ...] = (),
) -> object:
    """Call `condition` until its result, awaited if it is awaitable, is true; return that result.

    A failed `assert` inside `condition` counts as "not yet", and so do the exceptions in `ignoring`.

    :raises AssertionError: the deadline passed; the message shows the last result or exception.
    """
    attempt = _Attempt(within_s, ignoring)
    try:
        async with asyncio.timeout(within_s):
            while True:
                with attempt:
                    result = condition()
                    attempt.last = await result if inspect.isawaitable(result) else result
                    if attempt.last:
                        return attempt.last
                await asyncio.sleep(poll_s)
    except TimeoutError:
        raise attempt.failure(condition) from attempt.error


def wait_until(
    condition: Callable[[], T],
    *,
    within_s: float = WITHIN_S,
    poll_s: float = POLL_S,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Do what `eventually` does in a test without an event loop."""
    attempt = _Attempt(within_s, ignoring)
    deadline = time.monotonic() + within_s
    while True:
        with attempt:
            result = condition()
            if result:
                return result
            attempt.last = result
        if time.monotonic() > deadline:
            raise attempt.failure(condition) from attempt.error
        time.sleep(poll_s)


class _Attempt:
    """One call of a condition. As a context manager it keeps the exceptions that mean "not yet"."""

    def __init__(self, within_s: float, ignoring: tuple[type[Exception], ...]) -> None:
        self._within_s = within_s
        self._ignored: tuple[type[Exception], ...] = (AssertionError, *ignoring)
        self.last: object = None
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        self.error = None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if not isinstance(error, self._ignored):
            return False
        self.error = error
        return True

    def failure(self, condition: Callable[[], object]) -> AssertionError:
        name = getattr(condition, "__qualname__", repr(condition))
        outcome = f"raised {self.error!r}" if self.error is not None else f"returned {self.last!r}"
        return AssertionError(f"{name} did not hold within {self._within_s:g} s: the last call {outcome}")
