"""Requests and responses of the bot's tokens."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from bongsu.identity.scopes import Permission, Role
from bongsu_auth.accounts.schemas import Strict


class DiscordTokenIn(Strict):
    """The command that a Discord user runs, and the permission that it needs, if any."""

    discord_user_id: Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")]
    command: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_ ]{0,63}$")] = Field(examples=["users block"])
    permission: Permission | None = None


class DiscordTokenOut(BaseModel):
    """An access token of the linked user."""

    access_token: str
    expires_in: int = Field(description="Lifetime of the token, seconds")
    role: Role
