"""Responses about guilds."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class GuildOut(BaseModel):
    """A server that you are in."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    icon: str | None = Field(description="Discord's hash of its picture")
    owner: bool
    permissions: Annotated[str, BeforeValidator(str)] = Field(description="Your permissions, as Discord's bit field")
    manageable: bool = Field(
        description="Whether you can add the bot: you own the server, administer it, or have Manage Server"
    )


class GuildPage(BaseModel):
    """All your servers. There is no next page."""

    model_config = ConfigDict(from_attributes=True)

    items: list[GuildOut]
    next: str | None = None
    fetched_at: datetime = Field(description="When the list was fetched from Discord")
    stale: bool = Field(description="Discord does not answer now; this is an earlier list")
