"""An authenticator app."""

import time

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
    body = {"code": code_of(secret, steps=-1)}
    answer = await stage.client.post("/auth/mfa/totp", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return secret, answer.json()["recovery_codes"]
