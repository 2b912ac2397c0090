"""Which faults are active, and which request they strike."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from bongsu.runtime.errors import FieldError, Invalid
from bongsu_sandbox.faults.schemas import Detail, FaultRequest, FaultView, Kind, Target

CheckDetail = Callable[[Detail], Detail]
"""Brings a fault's detail into its one form, or raises ValueError with what is wrong."""


def no_detail(detail: Detail) -> Detail:
    """For kinds that take none."""
    if detail not in (None, ""):
        raise ValueError("This kind takes no detail")
    return None


def seconds(detail: Detail) -> Detail:
    """For kinds that last: a number of seconds, or nothing for as long as the fault is active."""
    if detail in (None, ""):
        return None
    if not isinstance(detail, str | float):
        raise ValueError("Give a number of seconds")  # noqa: TRY004 - a wrong value to its sender
    value = float(detail)
    if not 0 < value <= 86_400:
        raise ValueError("Give seconds between 0 and 86400")
    return value


def names(detail: Detail) -> list[str]:
    """A list of names, written as one, or with commas between them."""
    if detail is None:
        return []
    if isinstance(detail, str):
        return [part.strip() for part in detail.split(",") if part.strip()]
    if isinstance(detail, list):
        return detail
    raise ValueError("Give a name or a list of names")


class Fault:
    """An active fault."""

    def __init__(self, request: FaultRequest) -> None:
        self.target = request.target
        self.kind = request.kind
        self.rate = request.rate
        self.detail = request.detail
        self.duration_s = request.duration_s
        self.hits = 0
        self.cleared = asyncio.Event()
        self._set_at = datetime.now(UTC)
        self._ends_at = None if request.duration_s is None else time.monotonic() + request.duration_s

    @property
    def remaining_s(self) -> float | None:
        """How long it goes on; None where it has no end."""
        return None if self._ends_at is None else self._ends_at - time.monotonic()

    @property
    def active(self) -> bool:
        """Whether it may still strike."""
        remaining = self.remaining_s
        return not self.cleared.is_set() and (remaining is None or remaining > 0)

    def strikes(self) -> bool:
        """Throw the dice for one request; a hit is counted."""
        if not self.active or random.random() >= self.rate:  # noqa: S311 - no secret depends on it
            return False
        self.hits += 1
        return True

    async def ended(self, at_most_s: float | None) -> None:
        """Return when the fault is cleared or over, or after the given time."""
        limits = [limit for limit in (at_most_s, self.remaining_s) if limit is not None]
        try:
            async with asyncio.timeout(min(limits, default=None)):
                await self.cleared.wait()
        except TimeoutError:
            return

    def view(self) -> FaultView:
        """As it is shown."""
        return FaultView(
            target=self.target,
            kind=self.kind,
            rate=self.rate,
            duration_s=self.duration_s,
            detail=self.detail,
            set_at=self._set_at,
            until=None if self.duration_s is None else self._set_at + timedelta(seconds=self.duration_s),
            hits=self.hits,
        )


class Faults:
    """All active faults. They end with the process: what restarts is healthy."""

    def __init__(self, abilities: Mapping[Target, Mapping[Kind, CheckDetail]]) -> None:
        self.abilities = abilities
        self._faults: dict[tuple[Target, Kind], Fault] = {}

    def set(self, request: FaultRequest) -> Fault:
        """Make a fault active.

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

    def active(self, target: Target | None = None) -> list[Fault]:
        """The active faults, oldest first."""
        for key in [key for key, fault in self._faults.items() if not fault.active]:
            del self._faults[key]
        return [fault for fault in self._faults.values() if target in (None, fault.target)]

    def struck(self, target: Target, *kinds: Kind) -> Fault | None:
        """The first active fault of these kinds that strikes this request."""
        if not self._faults:
            return None
        return next((fault for fault in self.active(target) if fault.kind in kinds and fault.strikes()), None)

    def find(self, target: Target, kind: Kind) -> Fault | None:
        """An active fault, for whoever throws the dice more than once a request."""
        fault = self._faults.get((target, kind))
        return fault if fault is not None and fault.active else None

    def clear(self, target: Target | None = None, kind: Kind | None = None) -> None:
        """End the faults of a target and a kind, or all; requests that hang because of them are cut."""
        for key in list(self._faults):
            if target in (None, key[0]) and kind in (None, key[1]):
                self._faults.pop(key).cleared.set()


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, code="invalid_fault", errors=[FieldError(("body", field), message)])
