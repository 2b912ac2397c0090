"""The faults of Discord's REST API and OAuth: its own error responses."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.responses import Response

from bongsu.runtime.stop import StopSignal
from bongsu_sandbox.discord.errors import DiscordError
from bongsu_sandbox.faults.requests import RequestFaults
from bongsu_sandbox.faults.service import Faults

TOO_MANY = 429


def discord_faults(faults: Faults, stop: StopSignal) -> RequestFaults:
    return RequestFaults("discord", faults, stop, _refuse)


def too_many(retry_after_s: float, *, is_global: bool = False) -> JSONResponse:
    """Discord's own 429."""
    return JSONResponse(
        {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": is_global},
        status_code=TOO_MANY,
        headers={
            "Via": "1.1 google",
            "Retry-After": str(max(1, round(retry_after_s))),
            "X-RateLimit-Scope": "global" if is_global else "user",
            **({"X-RateLimit-Global": "true"} if is_global else {}),
        },
    )


def _refuse(status: int, options: Mapping[str, str]) -> Response:
    if status == TOO_MANY:
        return too_many(float(options.get("retry_after", "1")), is_global=options.get("global") == "true")
    code, message = int(options.get("code", "0")), options.get("message", f"{status}: Internal Server Error")
    answer = DiscordError(status, code, message).answer()
    answer.headers["Via"] = "1.1 google"
    return answer
