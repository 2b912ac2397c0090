"""What goes over HTTP about linked accounts."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from bongsu.identity.models import LinkedAccount
from bongsu_auth.accounts.schemas import Strict
from bongsu_auth.oauth.schemas import NextPath


class LinkIn(Strict):
    """Where to go on to."""

    next: NextPath = "/"


class IdentityOut(BaseModel):
    """An account at a provider by which you sign in."""

    provider: str
    subject: str = Field(description="The provider's id of the account")
    display_name: str | None
    scopes: list[str] = Field(description="What you allowed")
    relink_needed: bool = Field(description="The provider no longer honours what you allowed: link it again")
    linked_at: datetime
    last_used_at: datetime

    @classmethod
    def of(cls, linked: LinkedAccount) -> Self:
        """From the row."""
        return cls(
            provider=linked.provider,
            subject=linked.subject,
            display_name=linked.display_name,
            scopes=linked.scopes.split(),
            relink_needed=linked.sealed_access_token is None,
            linked_at=linked.created_at,
            last_used_at=linked.last_used_at,
        )


class IdentityPage(BaseModel):
    """All of them; there is never a next page."""

    items: list[IdentityOut]
    next: str | None = None
    has_password: bool = Field(description="Whether you can sign in with a password too")
