"""Requests and responses of sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bongsu_auth.accounts.schemas import Email, GivenPassword, Strict
from bongsu_auth.mfa.schemas import Code

RefreshTokenText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class LoginIn(Strict):
    """A sign-in with a password."""

    email: Email
    password: GivenPassword


class TokenPair(BaseModel):
    """An access token for the `Authorization` header, and a refresh token for the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Lifetime of the access token, seconds")


class CookiesSet(BaseModel):
    """The tokens are in cookies, which scripts cannot read."""

    token_type: Literal["Cookie"] = "Cookie"  # noqa: S105 - no secret
    expires_in: int = Field(description="Lifetime of the access token, seconds")


class RefreshIn(Strict):
    """The refresh token. Browsers leave it out: they have it in a cookie."""

    refresh_token: RefreshTokenText | None = None


class ReauthenticateIn(Strict):
    """Your password if the account has one, and a code if it has a second factor."""

    password: GivenPassword | None = None
    code: Code | None = None


class Reauthenticated(BaseModel):
    """A new access token. The refresh token stays."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Lifetime of the access token, seconds")


class ReauthenticatedCookie(CookiesSet):
    """The new access token is in its cookie. The refresh token stays."""

    access_token: None = None


class SessionOut(BaseModel):
    """A sign-in on one device."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    last_used_at: datetime = Field(validation_alias="rotated_at")
    expires_at: datetime = Field(validation_alias="usable_until")
    user_agent: str | None
    address: str | None
    current: bool = Field(default=False, description="Whether this request belongs to the session")


class SessionPage(BaseModel):
    """Sessions, newest first."""

    items: list[SessionOut]
    next: str | None
