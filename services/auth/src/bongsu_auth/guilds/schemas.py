"""What goes over HTTP about guilds."""

from datetime import datetime

from pydantic import BaseModel, Field


class GuildOut(BaseModel):
    """A guild that you are in."""

    id: str
    name: str
    icon: str | None = Field(description="Discord's hash of its picture")
    owner: bool
    permissions: str = Field(description="What you may do in it: Discord's bit field")
    manageable: bool = Field(description="Yours, or you are an administrator or may manage it: you can add the bot")


class GuildPage(BaseModel):
    """All your guilds; there is never a next page."""

    items: list[GuildOut]
    next: str | None = None
    fetched_at: datetime = Field(description="When Discord was asked")
    stale: bool = Field(description="Discord does not answer now; this is what it told before")
