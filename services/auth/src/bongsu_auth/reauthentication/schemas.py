"""What goes over HTTP about proving once more who one is."""

from typing import Literal

from pydantic import BaseModel, Field

from bongsu_auth.accounts.schemas import GivenPassword, Strict


class ReauthenticateIn(Strict):
    """The password, once more."""

    password: GivenPassword


class Reauthenticated(BaseModel):
    """An access token that says so; the refresh token stays. In a browser it is in the cookie, and null here."""

    access_token: str | None
    token_type: Literal["Bearer", "Cookie"]
    expires_in: int = Field(description="Seconds for which the access token works")
