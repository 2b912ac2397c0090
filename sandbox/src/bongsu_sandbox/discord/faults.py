"""The faults of Discord's REST API and OAuth.

A fault's detail is one value, as the kind takes it (`error`: a status; `throttle`: seconds to wait; `hang`: seconds),
or an object that says more: `{"route": "/users/@me/guilds", "times": "2", "status": "500", "retry_after": "1.5"}`.
`route` is the beginning of the path behind `/api/v10`, `times` how often it strikes before it is over.
"""

from collections.abc import Mapping

from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.connection import Reset, Silence
from bongsu_sandbox.discord.errors import DiscordError
from bongsu_sandbox.faults.schemas import Detail, Kind
from bongsu_sandbox.faults.service import CheckDetail, Fault, Faults

_OPTIONS = {"route", "times", "status", "code", "message", "retry_after", "global", "seconds", "fields"}
_NUMBERS = {"times": 1, "status": 400, "code": 0, "retry_after": 0, "seconds": 0}


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


ABILITIES: Mapping[Kind, CheckDetail] = {
    "error": _options("status"),
    "unavailable": _options("route"),
    "throttle": _options("retry_after"),
    "no_via": _options("retry_after"),
    "hang": _options("seconds"),
    "reset": _options("route"),
    "missing_fields": _options("fields"),
    "huge_token": _options("route"),
}
"""`throttle`: 429 from Discord; `no_via`: 429 from the proxy before it, without a `Via` and without JSON.
`missing_fields`: a user object without its fields; `huge_token`: tokens of 8 kB."""

_HUGE_CHARS = 8192


class DiscordFaults:
    """Applies the active faults to requests."""

    def __init__(self, faults: Faults, stop: StopSignal) -> None:
        self._faults = faults
        self._stop = stop

    def before(self, route: str) -> Response | None:
        """Return the response of a fault that replaces the work.

        :raises DiscordError: the fault is an error answer.
        """
        for kind in ("unavailable", "error", "throttle", "no_via", "hang", "reset"):
            fault = self._hit(kind, route)
            if fault is not None:
                return self._instead(fault, _of(fault))
        return None

    def without_fields(self, route: str, body: dict[str, object]) -> dict[str, object]:
        """Return the body, without the fields that a fault removes."""
        fault = self._hit("missing_fields", route)
        if fault is None:
            return body
        named = _of(fault).get("fields")
        missing = set(named.split(",")) if named else set(body) - {"id"}
        return {name: value for name, value in body.items() if name not in missing}

    def token(self, route: str, token: str) -> str:
        """Return the token, padded to 8 kB by a fault."""
        return token if self._hit("huge_token", route) is None else token.ljust(_HUGE_CHARS, "x")

    def _hit(self, kind: Kind, route: str) -> Fault | None:
        fault = self._faults.find("discord", kind)
        if fault is None:
            return None
        options = _of(fault)
        if not route.startswith(options.get("route", "")) or fault.hits >= float(options.get("times", "inf")):
            return None
        return fault if fault.strike() else None

    def _instead(self, fault: Fault, options: Mapping[str, str]) -> Response:
        match fault.kind:
            case "hang":
                at_most_s = float(options["seconds"]) if "seconds" in options else None
                return Silence(fault.wait_until_ended(at_most_s), self._stop.wait())
            case "reset":
                return Reset()
            case "throttle":
                is_global = options.get("global") == "true"
                return too_many(float(options.get("retry_after", "1")), is_global=is_global)
            case "no_via":
                wait = options.get("retry_after", "1")
                return PlainTextResponse("error code: 1015", status_code=429, headers={"Retry-After": wait})
            case "unavailable":
                return PlainTextResponse("upstream connect error", status_code=503)
            case _:
                status, code = int(options.get("status", "500")), int(options.get("code", "0"))
                raise DiscordError(status, code, options.get("message", f"{status}: Internal Server Error"))


def too_many(retry_after_s: float, *, is_global: bool = False) -> JSONResponse:
    """Discord's own 429."""
    return JSONResponse(
        {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": is_global},
        status_code=429,
        headers={
            "Via": "1.1 google",
            "Retry-After": str(max(1, round(retry_after_s))),
            "X-RateLimit-Scope": "global" if is_global else "user",
            **({"X-RateLimit-Global": "true"} if is_global else {}),
        },
    )


def _of(fault: Fault) -> Mapping[str, str]:
    return fault.detail if isinstance(fault.detail, dict) else {}
