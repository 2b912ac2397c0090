"""Requests to the bot about the guilds that it must not be in, and its answers."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from bongsu.contracts.guilds import Snowflake
from bongsu.contracts.rpc import GUILDS_PAGE, GuildCommand, RpcAnswer, RpcRequest
from bongsu.contracts.wire import Wire


class BlockedGuildItem(Wire):
    """A guild on the block list. `name` is None where the bot was never in it; `blocked_by` is a name or an address."""

    id: Snowflake
    name: str | None = None
    reason: str
    blocked_by: str | None = None
    blocked_at: datetime


class BlockedGuildList(RpcAnswer):
    """Blocked guilds by ID. For the following page, ask with `next` as `after`."""

    guilds: tuple[BlockedGuildItem, ...] = ()
    next: Snowflake | None = None


class BlockedGuildListRequest(RpcRequest[BlockedGuildList]):
    """List the guilds that are blocked; with `ids`, those of them that are. The caller has checked who may see it."""

    method: Literal["blocked_guild_list"] = "blocked_guild_list"
    ids: tuple[Snowflake, ...] | None = Field(default=None, max_length=GUILDS_PAGE)
    after: Snowflake | None = None
    limit: int = Field(default=GUILDS_PAGE, ge=1, le=GUILDS_PAGE)


class GuildBlock(RpcAnswer):
    """The guild is blocked since `blocked_at`, for this reason: the first one, where it was blocked before."""

    guild_id: Snowflake
    reason: str
    blocked_at: datetime


class GuildBlockRequest(GuildCommand[GuildBlock]):
    """Block a guild, on behalf of an administrator of the project: the bot leaves it, now and whenever it is added."""

    method: Literal["guild_block"] = "guild_block"
    reason: str = Field(min_length=1, max_length=200)


class GuildUnblock(RpcAnswer):
    """The guild is not blocked. The bot does not come back by itself."""

    guild_id: Snowflake
    was_blocked: bool


class GuildUnblockRequest(GuildCommand[GuildUnblock]):
    """Take a guild off the block list, on behalf of an administrator of the project."""

    method: Literal["guild_unblock"] = "guild_unblock"
