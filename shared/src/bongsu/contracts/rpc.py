"""What is asked of the bot over the broker, and its answers.

Ask on `queues.BOT_RPC` (any of the bot's processes; it passes on what belongs to another one's shard), with
`bongsu.broker.requests.ask`. The caller gives a deadline, and nothing is done after it. What changes something needs an
assertion of the acting user (`POST /auth/assertions` with `audience` `BOT_AUDIENCE`, the request's method, and
`guild_target`) and an idempotency key: the same user's request with the same key is done once, and answered the same.

Error codes, besides `bongsu.broker`'s own: `unknown_method`, `invalid_request`, `assertion_refused`, `not_linked` (the
user has no Discord account), `forbidden` (no manager of the guild), `guild_not_found` (the bot is not in it),
`idempotency_key_reused`, `bot_not_ready`, `shard_unavailable`, `discord_unavailable`.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import Field, TypeAdapter

from bongsu.contracts.guilds import GuildSummary, Snowflake
from bongsu.contracts.wire import Wire

BOT_AUDIENCE: Final = "bot"
"""The audience of assertions for the bot."""

GUILDS_PAGE: Final = 200
"""At most so many guilds are listed at once."""


class RpcAnswer(Wire):
    """What a request is answered with."""


Answer = TypeVar("Answer", bound=RpcAnswer)


class RpcRequest(Wire, Generic[Answer]):
    """A request; `answer_type` is the shape of its answer."""

    answer_type: ClassVar[type[RpcAnswer]]
    version: Literal[1] = 1


class GuildCount(RpcAnswer):
    """How many guilds the bot is in, as far as its shards answered: `shards_answered` of `shards` did."""

    guilds: int
    shards_answered: int
    shards: int


class GuildCountRequest(RpcRequest[GuildCount]):
    """How many guilds is the bot in? `shard` asks that one only."""

    answer_type: ClassVar[type[RpcAnswer]] = GuildCount
    method: Literal["guild_count"] = "guild_count"
    shard: int | None = Field(default=None, ge=0)


class GuildList(RpcAnswer):
    """Guilds by id. `next`: ask again with it as `after`, if there is one."""

    guilds: tuple[GuildSummary, ...]
    next: Snowflake | None = None


class GuildListRequest(RpcRequest[GuildList]):
    """Which guilds is the bot in? With `ids` only those of them, also those that it left.

    Answered from what the bot has stored, so also while Discord is down.
    """

    answer_type: ClassVar[type[RpcAnswer]] = GuildList
    method: Literal["guild_list"] = "guild_list"
    ids: tuple[Snowflake, ...] | None = Field(default=None, max_length=GUILDS_PAGE)
    after: Snowflake | None = None
    limit: int = Field(default=GUILDS_PAGE, ge=1, le=GUILDS_PAGE)


class GuildLeave(RpcAnswer):
    """The bot is not in the guild any more, since `left_at`."""

    guild_id: Snowflake
    left_at: datetime


class GuildLeaveRequest(RpcRequest[GuildLeave]):
    """Leave a guild, on behalf of somebody who manages it."""

    answer_type: ClassVar[type[RpcAnswer]] = GuildLeave
    method: Literal["guild_leave"] = "guild_leave"
    guild_id: Snowflake
    assertion: str = Field(max_length=2048)
    idempotency_key: str = Field(pattern=r"^[\x21-\x7e]{8,128}$")


def guild_target(guild_id: int) -> str:
    """How an assertion names a guild."""
    return f"guild:{guild_id}"


def shard_of(guild_id: int, shards: int) -> int:
    """The shard that a guild belongs to, by Discord's rule."""
    return (guild_id >> 22) % shards


BotRequest = Annotated[GuildCountRequest | GuildListRequest | GuildLeaveRequest, Field(discriminator="method")]
BOT_REQUEST: TypeAdapter[BotRequest] = TypeAdapter(BotRequest)
