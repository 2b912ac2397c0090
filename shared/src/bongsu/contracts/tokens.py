"""The claims of access tokens (`typ: at+jwt`) and assertions (`typ: assertion+jwt`)."""

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
    """One action on behalf of a user: `aud` performs `method` on `target`. `sid` is the session that asked for it."""

    iss: str
    sub: UUID
    aud: str
    method: str
    target: str
    exp: int
    iat: int
    jti: UUID
    sid: UUID
