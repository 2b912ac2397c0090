"""Requests of the control API."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Id = str | int
OptionValue = str | int | float | bool


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewGuild(_Input):
    """A guild to make, with one text channel."""

    name: str = Field(min_length=1, max_length=100)
    owner_id: Id
    locale: str = "en-US"
    bot: bool = Field(default=False, description="The bot is in it from the start")


class GuildChange(_Input):
    """A change of a guild; omitted fields stay."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    owner_id: Id | None = None
    unavailable: bool | None = Field(default=None, description="An outage at Discord")
    bot: bool | None = Field(default=None, description="true: the bot joins; false: it is removed")
    everyone: int | None = Field(default=None, ge=0, description="Permissions of @everyone")


class MemberChange(_Input):
    """A member, with roles of the guild, and a role of these permissions if there are any."""

    permissions: int = Field(default=0, ge=0, description="8: administrator, 32: manage server")
    roles: list[Id] = []


class UserChange(_Input):
    """A change of a user; omitted fields stay."""

    email: str | None = None
    verified: bool | None = None
    global_name: str | None = None
    locale: str | None = None


class Drop(_Input):
    """How the bot's connections end."""

    how: Literal["reset", "close", "reconnect", "invalid_session"] = "close"
    code: int = Field(default=4000, ge=1000, le=4999, description="For close")
    shard_id: int | None = None


class GatewayChange(_Input):
    """How the gateway behaves from now on."""

    heartbeat_ms: int | None = Field(default=None, ge=50, le=600_000)
    shards: int | None = Field(default=None, ge=1, le=64, description="What it recommends to the bot")
    max_concurrency: int | None = Field(default=None, ge=1, le=64, description="Shards that may IDENTIFY together")
    identify_s: float | None = Field(
        default=None, ge=0, le=60, description="Period of one IDENTIFY a bucket; 5 at Discord, 0 for no limit"
    )


class NewCommand(_Input):
    """A slash command that a user runs. `command` is its name, with its subcommand after a space."""

    command: str = Field(pattern=r"^\S+( \S+){0,2}$", max_length=100)
    options: dict[str, OptionValue] = {}
    user_id: Id
    guild_id: Id | None = Field(default=None, description="Else in the direct messages of the user and the bot")
    channel_id: Id | None = Field(default=None, description="Else the guild's first")
    locale: str | None = Field(default=None, description="Else the user's")
    wait_s: float = Field(default=5, ge=0, le=60, description="How long to wait for the answer")
    unregistered: bool = Field(default=False, description="Send it even if the bot has not registered it")


class NewPress(_Input):
    """A button or menu of an answer that the user of its command chooses."""

    custom_id: str = Field(min_length=1, max_length=100)
    values: list[str] = Field(default=[], description="The choices, for a menu")
    wait_s: float = Field(default=5, ge=0, le=60, description="How long to wait for the answer")
