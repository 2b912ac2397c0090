"""The active faults, and the requests that they affect."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bongsu.runtime.errors import FieldError, Invalid
from bongsu_sandbox.faults.schemas import Detail, FaultRequest, Kind, Target

CheckDetail = Callable[[Detail], Detail]
"""Validates and normalises the detail of a fault; raises ValueError."""


def reject_detail(detail: Detail) -> Detail:
    if detail not in (None, ""):
        raise ValueError("This kind takes no detail")
    return None


def parse_seconds(detail: Detail) -> Detail:
    """Accept a number of seconds, or nothing for as long as the fault is active."""
    if detail in (None, ""):
        return None
    if not isinstance(detail, str | float):
        raise ValueError("Give a number of seconds")  # noqa: TRY004 - a wrong value to its sender
    value = float(detail)
    if not 0 < value <= 86_400:
        raise ValueError("Give seconds between 0 and 86400")
    return value


def parse_names(detail: Detail) -> list[str]:
    """Accept a list of names, or one string with commas."""
    if detail is None:
        return []
    if isinstance(detail, str):
        return [part.strip() for part in detail.split(",") if part.strip()]
    if isinstance(detail, list):
        return detail
    raise ValueError("Give a name or a list of names")


class Fault:
    def __init__(self, request: FaultRequest) -> None:
        self.target = request.target
        self.kind = request.kind
        self.rate = request.rate
        self.detail = request.detail
        self.duration_s = request.duration_s
        self.hits = 0
        self.cleared = asyncio.Event()
        self.set_at = datetime.now(UTC)
        self._ends_at = None if request.duration_s is None else time.monotonic() + request.duration_s

    @property
    def until(self) -> datetime | None:
        """Its end; None if it has none."""
        return None if self.duration_s is None else self.set_at + timedelta(seconds=self.duration_s)

    @property
    def remaining_s(self) -> float | None:
        """The seconds until its end; None if it has none."""
        return None if self._ends_at is None else self._ends_at - time.monotonic()

    @property
    def is_active(self) -> bool:
        """Whether it can still affect requests."""
        remaining = self.remaining_s
        return not self.cleared.is_set() and (remaining is None or remaining > 0)

    def strike(self) -> bool:
        """Decide at random whether one request is affected, and count it."""
        if not self.is_active or random.random() >= self.rate:  # noqa: S311 - no secret depends on it
            return False
        self.hits += 1
        return True

    async def wait_until_ended(self, at_most_s: float | None) -> None:
        """Wait until the fault is cleared or over, or for the given time."""
        limits = [limit for limit in (at_most_s, self.remaining_s) if limit is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout(min(limits, default=None)):
                await self.cleared.wait()


class Faults:
    """The active faults. They end with the process."""

    def __init__(self, abilities: Mapping[Target, Mapping[Kind, CheckDetail]]) -> None:
        self.abilities = abilities
        self._faults: dict[tuple[Target, Kind], Fault] = {}

    def set(self, request: FaultRequest) -> Fault:
        """Set a fault.

        :raises Invalid: its target has no stand-in here, cannot do that kind, or the detail is wrong.
        """
        kinds = self.abilities.get(request.target)
        if kinds is None:
            raise _wrong("target", f"No stand-in for {request.target} runs here; there is {', '.join(self.abilities)}")
        check = kinds.get(request.kind)
        if check is None:
            raise _wrong("kind", f"{request.target} cannot do {request.kind}; it can do {', '.join(kinds)}")
        try:
            detail = check(request.detail)
        except ValueError as error:
            raise _wrong("detail", str(error)) from error
        self.clear(request.target, request.kind)
        fault = Fault(request.model_copy(update={"detail": detail}))
        self._faults[request.target, request.kind] = fault
        return fault

    def list_active(self, target: Target | None = None) -> list[Fault]:
        """List the active faults, oldest first."""
        for key in [key for key, fault in self._faults.items() if not fault.is_active]:
            del self._faults[key]
        return [fault for fault in self._faults.values() if target in (None, fault.target)]

    def find_hit(self, target: Target, *kinds: Kind) -> Fault | None:
        """Return the first active fault of these kinds that affects this request."""
        if not self._faults:
            return None
        return next((fault for fault in self.list_active(target) if fault.kind in kinds and fault.strike()), None)

    def find(self, target: Target, kind: Kind) -> Fault | None:
        """Return an active fault, for a caller that decides more than once a request."""
        fault = self._faults.get((target, kind))
        return fault if fault is not None and fault.is_active else None

    def clear(self, target: Target | None = None, kind: Kind | None = None) -> None:
        """Clear the faults of a target and a kind, or all, and cut the requests that they hold open."""
        for key in list(self._faults):
            if target in (None, key[0]) and kind in (None, key[1]):
                self._faults.pop(key).cleared.set()


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, code="invalid_fault", errors=[FieldError(("body", field), message)])
