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
LONGEST_POLL_S = 0.25


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]],
    within_s: float = WITHIN_S,
    what: str = "",
    *,
    ignoring: tuple[type[Exception], ...] = (),
) -> T: ...
@overload
async def eventually(
    condition: Callable[[], T],
    within_s: float = WITHIN_S,
    what: str = "",
    *,
    ignoring: tuple[type[Exception], ...] = (),
) -> T: ...
async def eventually(
    condition: Callable[[], object],
    within_s: float = WITHIN_S,
    what: str = "",
    *,
    ignoring: tuple[type[Exception], ...] = (),
) -> object:
    """Call `condition` until its result, awaited if it is awaitable, is true; return that result.

    A failed `assert` inside `condition` means "not yet", and so do the exceptions in `ignoring`. `what` names the
    condition in the failure's message.

    :raises AssertionError: the deadline passed; the message shows the last result or exception.
    """
    attempts = _Attempts(what or getattr(condition, "__qualname__", repr(condition)), within_s, ignoring)
    deadline = asyncio.timeout(within_s)
    try:
        async with deadline:
            while True:
                with attempts:
                    result = condition()
                    attempts.last = await result if inspect.isawaitable(result) else result
                    if attempts.last:
                        return attempts.last
                await asyncio.sleep(attempts.pause_s())
    except TimeoutError:
        if not deadline.expired():
            raise
        raise attempts.failure() from attempts.error


def wait_until(
    condition: Callable[[], T],
    within_s: float = WITHIN_S,
    what: str = "",
    *,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Do what `eventually` does in a test without an event loop."""
    attempts = _Attempts(what or getattr(condition, "__qualname__", repr(condition)), within_s, ignoring)
    deadline = time.monotonic() + within_s
    while True:
        with attempts:
            result = condition()
            if result:
                return result
            attempts.last = result
        if time.monotonic() > deadline:
            raise attempts.failure() from attempts.error
        time.sleep(attempts.pause_s())


class _Attempts:
    """The calls of a condition. Each is made in this context, which keeps the exceptions that mean "not yet"."""

    def __init__(self, what: str, within_s: float, ignoring: tuple[type[Exception], ...]) -> None:
        self._what = what
        self._within_s = within_s
        self._ignored: tuple[type[Exception], ...] = (AssertionError, *ignoring)
        self.last: object = None
        self.error: BaseException | None = None
        self._began = self._called = time.monotonic()

    def __enter__(self) -> None:
        self.error = None
        self._called = time.monotonic()

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if not isinstance(error, self._ignored):
            return False
        self.error = error
        return True

    def pause_s(self) -> float:
        """As long as the last call took: an expensive condition leaves half of the time to what it waits for.

        In a long wait it is longer, because frequent calls would slow down what it waits for.
        """
        now = time.monotonic()
        return max(POLL_S, now - self._called, min((now - self._began) / 20, LONGEST_POLL_S))

    def failure(self) -> AssertionError:
        outcome = f"raised {self.error!r}" if self.error is not None else f"returned {self.last!r}"
        return AssertionError(f"not within {self._within_s:g} s: {self._what} (the last call {outcome})")
