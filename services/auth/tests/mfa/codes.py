"""An authenticator app."""

import time

import httpx
import pyotp

from services.auth.tests.stage import Stage


def code_of(secret: str, *, steps: int = 0) -> str:
    """Return the app's present code, or that of so many steps later."""
    return pyotp.TOTP(secret).at(int(time.time()), counter_offset=steps)


async def enable(stage: Stage, headers: dict[str, str]) -> tuple[str, list[str]]:
    """Turn the second factor on with the previous code, so that the present one is unused.

    Returns the secret and the recovery codes.
    """
    secret = str((await stage.client.post("/auth/mfa/totp", headers=headers)).json()["secret"])
    return secret, (await confirm(stage.client, secret, headers)).json()["recovery_codes"]


async def confirm(client: httpx.AsyncClient, secret: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Confirm a secret with the app's previous code."""
    answer = await client.post("/auth/mfa/totp", json={"code": code_of(secret, steps=-1)}, headers=headers)
    if answer.status_code == 403:  # a step began in between: the code was that of the step before the previous one
        answer = await client.post("/auth/mfa/totp", json={"code": code_of(secret, steps=-1)}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer
