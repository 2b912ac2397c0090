"""The faults of a provider's HTTP API.

A fault's detail is one value, as the kind takes it (`error`: a status; `throttle`: seconds to wait; `hang`: seconds),
or an object that says more: `{"route": "/users/@me/guilds", "times": "2", "status": "500", "retry_after": "1.5"}`.
`route` is the beginning of the path behind the stand-in's prefix, `times` how often it strikes before it is over.

`odd_fields` takes `member=JSON`, or an object of members and JSON texts: `{"kakao_account.birthyear": "1990"}`;
without a detail it alters several optional members. A body that lacks a member stays as it is.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.connection import Reset, Silence
from bongsu_sandbox.faults.schemas import Detail, Kind, Target
from bongsu_sandbox.faults.service import CheckDetail, Fault, Faults

_OPTIONS = {"route", "times", "status", "code", "message", "retry_after", "global", "seconds", "fields"}
_NUMBERS = {"times": 1, "status": 400, "code": -99_999, "retry_after": 0, "seconds": 0}
_HUGE_CHARS = 8192
_ODD_FIELDS = {
    "expires_in": '"abc"',
    "name": "7",
    "email_verified": "null",
    "verified": "null",
    "kakao_account.is_email_valid": "null",
    "kakao_account.birthyear": "1990",
}


def _options(main: str) -> CheckDetail:
    """Return a check that normalises one value (of the option `main`) or an object to an object."""

    def check(detail: Detail) -> Detail:
        if detail in (None, ""):
            return {}
        if isinstance(detail, list):
            detail = ",".join(detail)
        options = dict(detail) if isinstance(detail, Mapping) else {main: str(detail)}
        for name, value in options.items():
            if name not in _OPTIONS:
                raise ValueError(f"{name} is no option; there is {', '.join(sorted(_OPTIONS))}")
            if name in _NUMBERS and float(value) < _NUMBERS[name]:
                raise ValueError(f"{name} is a number of {_NUMBERS[name]} or more")
        return options

    return check


def _odd_fields(detail: Detail) -> Detail:
    """Normalise `member=JSON`, or an object of members and JSON texts, to an object."""
    if detail in (None, ""):
        return dict(_ODD_FIELDS)
    members = dict(detail) if isinstance(detail, Mapping) else dict([str(detail or "").partition("=")[::2]])
    if not all(members) or not all(map(_is_json, members.values())):
        raise ValueError("Give a member and its JSON value, such as kakao_account.birthyear=1990")
    return members


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


ABILITIES: Mapping[Kind, CheckDetail] = {
    "error": _options("status"),
    "unavailable": _options("route"),
    "throttle": _options("retry_after"),
    "no_via": _options("retry_after"),
    "hang": _options("seconds"),
    "reset": _options("route"),
    "missing_fields": _options("fields"),
    "odd_fields": _odd_fields,
    "huge_token": _options("route"),
}
"""`throttle`: 429 from the provider; `no_via`: 429 from the proxy before it, without a `Via` and without JSON.
`missing_fields`: a body without its fields; `odd_fields`: with other values; `huge_token`: tokens of 8 kB."""


ABILITIES_AFTER: Mapping[Kind, CheckDetail] = {
    "accept_then_reset": _options("route"),
    "accept_then_hang": _options("seconds"),
}
"""For providers that call `RequestFaults.after`: the work is done, and its answer does not arrive."""


class RequestFaults:
    """Applies the active faults of a provider to its requests.

    :param refuse: returns the provider's own error response, for a status and the options of a fault.
    """

    def __init__(
        self, target: Target, faults: Faults, stop: StopSignal, refuse: Callable[[int, Mapping[str, str]], Response]
    ) -> None:
        self._target = target
        self._faults = faults
        self._stop = stop
        self._refuse = refuse

    def before(self, route: str) -> Response | None:
        """Return the response of a fault that replaces the work."""
        for kind in ("unavailable", "error", "throttle", "no_via", "hang", "reset"):
            fault = self._hit(kind, route)
            if fault is not None:
                return self._instead(fault, _of(fault))
        return None

    def after(self, route: str) -> Response | None:
        """Return what replaces the answer to work that is done."""
        for kind in ABILITIES_AFTER:
            fault = self._hit(kind, route)
            if fault is not None:
                return self._instead(fault, _of(fault))
        return None

    def alter(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body as the faults alter it. Dots in a member's name lead into objects."""
        fault = self._hit("missing_fields", route)
        if fault is not None:
            named = _of(fault).get("fields")
            body = deepcopy(body)
            for name in named.split(",") if named else set(body) - {"id"}:
                parent = _parent(body, name)
                if parent is not None:
                    parent.pop(name.rpartition(".")[2], None)
        fault = self._hit("odd_fields", route)
        if fault is not None:
            body = deepcopy(body)
            for name, value in _of(fault).items():
                parent, key = _parent(body, name), name.rpartition(".")[2]
                if parent is not None and key in parent:
                    parent[key] = json.loads(value)
        return body

    def token(self, route: str, token: str) -> str:
        """Return the token, padded to 8 kB by a fault."""
        return token if self._hit("huge_token", route) is None else token.ljust(_HUGE_CHARS, "x")

    def _hit(self, kind: Kind, route: str) -> Fault | None:
        fault = self._faults.find(self._target, kind)
        if fault is None:
            return None
        options = _of(fault)
        if kind != "odd_fields" and (
            not route.startswith(options.get("route", "")) or fault.hits >= float(options.get("times", "inf"))
        ):
            return None
        return fault if fault.strike() else None

    def _instead(self, fault: Fault, options: Mapping[str, str]) -> Response:
        match fault.kind:
            case "hang" | "accept_then_hang":
                at_most_s = float(options["seconds"]) if "seconds" in options else None
                return Silence(fault.wait_until_ended(at_most_s), self._stop.wait())
            case "reset" | "accept_then_reset":
                return Reset()
            case "throttle":
                return self._refuse(429, options)
            case "no_via":
                wait = options.get("retry_after", "1")
                return PlainTextResponse("error code: 1015", status_code=429, headers={"Retry-After": wait})
            case "unavailable":
                return PlainTextResponse("upstream connect error", status_code=503)
            case _:
                return self._refuse(int(options.get("status", "500")), options)


def _parent(body: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the object that holds the last member of a dotted path."""
    *parents, _ = path.split(".")
    found: object = body
    for name in parents:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _of(fault: Fault) -> Mapping[str, str]:
    return fault.detail if isinstance(fault.detail, dict) else {}
