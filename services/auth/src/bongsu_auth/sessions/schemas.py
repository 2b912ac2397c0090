"""What goes over HTTP about sessions."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from bongsu.identity.models import UserSession
from bongsu_auth.accounts.schemas import Email, GivenPassword, Strict

RefreshTokenText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class LoginIn(Strict):
    """A sign-in."""

    email: Email
    password: GivenPassword


class TokenPair(BaseModel):
    """An access token for the `Authorization` header, and a refresh token that is good for the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Seconds for which the access token works")


class CookiesSet(BaseModel):
    """The tokens are in cookies, which scripts cannot read."""

    token_type: Literal["Cookie"] = "Cookie"  # noqa: S105 - no secret
    expires_in: int = Field(description="Seconds for which the access token works")


class RefreshIn(Strict):
    """The refresh token; left out by browsers, which have it in a cookie."""

    refresh_token: RefreshTokenText | None = None


class SessionOut(BaseModel):
    """One sign-in."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    current: bool = Field(description="Whether it is the one of this very request")

    @classmethod
    def of(cls, session: UserSession, current: UUID | None) -> Self:
        """From the row."""
        return cls(
            id=session.id,
            created_at=session.created_at,
            last_used_at=session.rotated_at,
            expires_at=min(session.idle_expires_at, session.expires_at),
            user_agent=session.user_agent,
            address=session.address,
            current=session.id == current,
        )


class SessionPage(BaseModel):
    """Sessions, newest first."""

    items: list[SessionOut]
    next: str | None
