"""The claims of our tokens, signed with EdDSA: access tokens (`typ: at+jwt`) and assertions (`typ: assertion+jwt`)."""

from typing import Literal
from uuid import UUID

from bongsu.contracts.wire import Wire

AUDIENCE = "bongsu"
Role = Literal["user", "staff", "manager", "administrator"]


class AccessClaims(Wire):
    """Times are seconds since 1970 (RFC 7519 NumericDate). `scope` is space-separated; `amr` as RFC 8176."""

    iss: str
    sub: UUID
    aud: Literal["bongsu"] = "bongsu"
    exp: int
    iat: int
    jti: UUID
    sid: UUID
    role: Role
    scope: str
    auth_time: int
    amr: tuple[str, ...]


class AssertionClaims(Wire):
    """A user's word for one action: `aud` does `method` to `target`. `sid` is the session in which it was given."""

    iss: str
    sub: UUID
    aud: str
    method: str
    target: str
    exp: int
    iat: int
    jti: UUID
    sid: UUID
