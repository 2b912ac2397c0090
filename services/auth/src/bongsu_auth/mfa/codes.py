"""Codes: those of authenticator apps (RFC 6238: SHA-1, six digits, 30 seconds), and recovery codes."""

import base64
import hmac
import re
import secrets

import pyotp

from bongsu_auth.digests import digest

STEP_S = 30
DRIFT_STEPS = 1
"""Codes of one step before and after the present one work, as clocks differ."""
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
"""80 bits each: too many to be guessed from a hash."""


def new_secret() -> str:
    """Return a secret of 160 bits in base32."""
    return pyotp.random_base32()


def uri_of(secret: str, *, account: str, issuer: str) -> str:
    """Return the `otpauth:` URI that apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def matching_step(secret: str, code: str, now_s: float) -> int | None:
    """Return the time step whose code this is; None if it is not one of those that work now."""
    if not is_of_app(code):
        return None
    present, found = int(now_s) // STEP_S, None
    generator = pyotp.TOTP(secret)
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if hmac.compare_digest(generator.generate_otp(step), code):
            found = step
    return found


def new_recovery_code() -> str:
    """Return a recovery code in four groups: `abcd-efgh-ijkl-mnop`."""
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def normalise(code: str) -> str:
    """Return a code as it is compared, whatever spaces, dashes or capitals the user typed."""
    return re.sub(r"[\s-]", "", code).lower()


def is_of_app(code: str) -> bool:
    """Return whether a normalised code has the form of an app's."""
    return len(code) == 6 and code.isascii() and code.isdigit()


def recovery_digest(code: str) -> str:
    """Return the stored form of a recovery code."""
    return digest(normalise(code))
