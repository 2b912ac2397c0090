"""Requests and responses about second factors."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from bongsu_auth.accounts.schemas import Strict, Token

Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(description="Six digits of the authenticator app, or a recovery code", examples=["123456"]),
]


class MfaRequired(BaseModel):
    """The password is right, and the account has a second factor: continue with `POST /auth/mfa/verify`."""

    mfa_required: Literal[True] = True
    mfa_token: str
    expires_in: int = Field(description="Lifetime of `mfa_token`, seconds")


class MfaVerifyIn(Strict):
    """The token of the sign-in, and a code. Browsers leave the token out: they have it in a cookie."""

    mfa_token: Token | None = None
    code: Code


class TotpIn(Strict):
    """Without a code, a new secret is created. With its first code, it is turned on."""

    code: Code | None = None


class TotpStarted(BaseModel):
    """A secret for an authenticator app. Sign-in does not ask for codes before the first one was sent."""

    status: Literal["pending"] = "pending"
    secret: str = Field(description="In base32")
    otpauth_uri: str = Field(description="For a QR code")


class RecoveryCodes(BaseModel):
    """Recovery codes. Each works once. Only this response contains them."""

    status: Literal["enabled"] = "enabled"
    recovery_codes: list[str]


class TotpOut(BaseModel):
    """Whether sign-in asks for a code."""

    enabled: bool
    enabled_at: datetime | None
    recovery_codes_left: int
