"""The faults of SES."""

import random
from collections.abc import Iterable, Mapping

from starlette.responses import Response

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.connection import Reset, Silence
from bongsu_sandbox.faults.schemas import Detail, Kind
from bongsu_sandbox.faults.service import CheckDetail, Fault, Faults, parse_names, parse_seconds, reject_detail
from bongsu_sandbox.ses import errors
from bongsu_sandbox.ses.schemas import BulkEntry
from bongsu_sandbox.ses.service import STATUS_MESSAGES, Forced

SUCCESS = "SUCCESS"
_FAILURES = ["TRANSIENT_FAILURE", "ACCOUNT_THROTTLED", "MESSAGE_REJECTED", "ACCOUNT_DAILY_QUOTA_EXCEEDED", "FAILED"]


def _codes(detail: Detail) -> Detail:
    codes = []
    for name in parse_names(detail):
        code = errors.full_code(name)
        if code is None:
            raise ValueError(f"{name} is no SES error; there is {', '.join(errors.CATALOGUE)}")
        codes.append(code)
    return codes or None


def _statuses(detail: Detail) -> Detail:
    if isinstance(detail, dict):
        _require_statuses(detail.values())
        return {address.lower(): status for address, status in detail.items()}
    statuses = parse_names(detail)
    _require_statuses(statuses)
    return statuses or None


def _require_statuses(statuses: Iterable[str]) -> None:
    known = [SUCCESS, *STATUS_MESSAGES]
    for status in statuses:
        if status not in known:
            raise ValueError(f"{status} is no status of a bulk entry; there is {', '.join(known)}")


ABILITIES: Mapping[Kind, CheckDetail] = {
    "error": _codes,
    "unavailable": reject_detail,
    "throttle": reject_detail,
    "quota": reject_detail,
    "hang": parse_seconds,
    "reset": reject_detail,
    "accept_then_reset": reject_detail,
    "accept_then_hang": parse_seconds,
    "per_entry": _statuses,
}
"""The kinds of fault of SES, with the checks of their details."""


_SENDING_ONLY: tuple[Kind, ...] = ("error", "throttle", "quota")
_ERRORS = {"throttle": errors.THROTTLED, "quota": errors.QUOTA, "unavailable": "ServiceUnavailable"}


class SesFaults:
    """Applies the active faults to requests to SES."""

    def __init__(self, faults: Faults, stop: StopSignal) -> None:
        self._faults = faults
        self._stop = stop

    def before(self, *, sending: bool) -> Response | None:
        """Return the response of a fault that replaces the work.

        :raises SesError: the fault is an error answer.
        """
        fault = self._faults.find_hit("ses", "unavailable", "hang", "reset", *_SENDING_ONLY if sending else ())
        if fault is None:
            return None
        if fault.kind in {"hang", "reset"}:
            return self._break(fault)
        codes = fault.detail if isinstance(fault.detail, list) else ["InternalFailure"]
        chosen = random.choice(codes)  # noqa: S311 - no secret depends on it
        raise errors.known_error(_ERRORS.get(fault.kind, chosen))

    def after(self) -> Response | None:
        """Return the reset or the silence that replaces the response to an accepted send."""
        fault = self._faults.find_hit("ses", "accept_then_reset", "accept_then_hang")
        return None if fault is None else self._break(fault)

    def per_entry(self) -> Forced:
        """Return the forced statuses of one bulk call."""
        fault = self._faults.find("ses", "per_entry")

        def forced(number: int, entry: BulkEntry) -> str | None:
            if fault is None or not fault.strike():
                return None
            if isinstance(fault.detail, dict):
                given = [fault.detail.get(_bare(item)) for item in entry.destination.all()]
                status = next((item for item in given if item is not None), SUCCESS)
            else:
                statuses = fault.detail if isinstance(fault.detail, list) else [SUCCESS, *_FAILURES]
                status = statuses[number % len(statuses)]
            return None if status == SUCCESS else status

        return forced

    def _break(self, fault: Fault) -> Response:
        if fault.kind in {"reset", "accept_then_reset"}:
            return Reset()
        at_most_s = fault.detail if isinstance(fault.detail, float) else None
        return Silence(fault.wait_until_ended(at_most_s), self._stop.wait())


def _bare(address: str) -> str:
    return address.rpartition("<")[2].strip("> ").lower()
