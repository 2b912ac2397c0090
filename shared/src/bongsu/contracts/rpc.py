"""Requests to the bot over the broker, and its answers.

Send one with `bongsu.broker.requests.ask`; any of the bot's processes takes it from `queues.BOT_RPC` and forwards it to
the process that runs the right shard. The caller sets a deadline, and the bot does nothing after it. To add a method,
define its request and answer here and register its handler in the bot's feature folder.

Error codes, besides those of `bongsu.broker`: `unknown_method`, `invalid_request`, `assertion_refused`, `not_linked`
(the user has no Discord account), `forbidden` (the user does not manage the guild), `guild_not_found` (the bot is not
in the guild), `idempotency_key_reused`, `request_outdated` (the bot left the guild, and was
added again since), `bot_not_ready`, `shard_unavailable`, `discord_unavailable`; and of messages: `sender_refused` (the
broker user may not send them), `channel_not_found`, `permission_missing` (the bot may not write there),
`message_refused`, `recipient_unreachable` (the user accepts no messages of the bot), `channel_busy` (too many messages
wait for the channel), `outcome_unknown` (Discord may have the message); and of modules: `channel_required`,
`module_outdated` (another change came first); and of delegations: `role_not_found`, `delegation_outdated`.
"""

from datetime import datetime
from typing import Final, Generic, Literal, Self, TypeVar, get_args
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from bongsu.contracts.guilds import GuildListItem, Snowflake
from bongsu.contracts.wire import Wire

BOT_AUDIENCE: Final = "bot"
"""The audience of assertions for the bot."""

GUILDS_PAGE: Final = 200
"""The largest number of guilds in one answer."""


class RpcAnswer(Wire):
    """The root of all answers."""


Answer = TypeVar("Answer", bound=RpcAnswer)


class RpcRequest(Wire, Generic[Answer]):
    """The root of all requests; any process of the bot can answer it. A subclass sets the default of `method`."""

    version: Literal[1] = 1
    method: str

    @classmethod
    def answer_type(cls) -> type[Answer]:
        """The model of the answer: the type argument with which the request's class was declared."""
        arguments = (base.__pydantic_generic_metadata__["args"] for base in cls.__mro__ if issubclass(base, RpcRequest))
        answer: type[Answer] = next(found[0] for found in arguments if found)
        return answer


class ShardRequest(RpcRequest[Answer], Generic[Answer]):
    """A request to the process that runs `shard`; without a shard, to any process."""

    shard: int | None = Field(default=None, ge=0)


class GuildRequest(RpcRequest[Answer], Generic[Answer]):
    """A request about a guild to the process that runs its shard. The caller has checked who may see the answer."""

    guild_id: Snowflake


class GuildCommand(GuildRequest[Answer], Generic[Answer]):
    """A change to a guild, on behalf of a user; the process that runs the guild's shard makes it.

    `assertion` is the user's (`POST /auth/assertions` with `audience` `BOT_AUDIENCE`, the request's method, and
    `guild_target`) and works once. The same user's command with the same `idempotency_key` is run once.
    """

    assertion: str = Field(max_length=2048)
    idempotency_key: str = Field(pattern=r"^[\x21-\x7e]{8,128}$")


class ServiceRequest(RpcRequest[Answer], Generic[Answer]):
    """A request of notify, which any process of the bot answers: admitted by the broker user that sent it."""


ShardState = Literal["connected", "connecting", "waiting", "refused", "stopped", "unreachable"]
"""`waiting`: between two logins; `refused`: Discord refuses the bot until a setting is changed; `unreachable`: the
process that runs the shard does not answer."""


class ShardStatus(Wire):
    """A shard, its state since `since`, and the guilds on it that the bot is in. What is unknown is None."""

    shard: int
    state: ShardState
    since: datetime | None = None
    latency_ms: int | None = None
    guilds: int | None = None


class BotStatus(RpcAnswer):
    """The shards that were asked for, as of `at`."""

    shards: tuple[ShardStatus, ...]
    at: datetime


class ShardStatusRequest(ShardRequest[BotStatus]):
    """Ask for the health of all shards or of one: what the bot knows of its connection to Discord.

    :param counted: count the guilds of each shard, which takes a query.
    """

    method: Literal["shard_status"] = "shard_status"
    counted: bool = True


class GuildCount(RpcAnswer):
    """The number of guilds on the shards that answered: `shards_answered` of `shards`."""

    guilds: int
    shards_answered: int
    shards: int


class GuildCountRequest(ShardRequest[GuildCount]):
    """Count the guilds that the bot is in, on all shards or on one."""

    method: Literal["guild_count"] = "guild_count"


class GuildList(RpcAnswer):
    """Guilds by ID. For the following page, ask with `next` as `after`."""

    guilds: tuple[GuildListItem, ...]
    next: Snowflake | None = None


class GuildListRequest(RpcRequest[GuildList]):
    """List the guilds that the bot is in, with who added it; with `ids`, those of them that the bot is or was in.

    The answer comes from the bot's database, also while Discord is down. A guild whose shard is not connected is
    `unavailable`.

    :param search: a part of the name, or the ID of the guild or of its owner; not with `ids`.
    """

    method: Literal["guild_list"] = "guild_list"
    ids: tuple[Snowflake, ...] | None = Field(default=None, max_length=GUILDS_PAGE)
    search: str | None = Field(default=None, min_length=1, max_length=100)
    after: Snowflake | None = None
    limit: int = Field(default=GUILDS_PAGE, ge=1, le=GUILDS_PAGE)


BotPermission = Literal["view_channel", "send_messages", "embed_links", "read_message_history"]
BOT_PERMISSIONS: Final[tuple[BotPermission, ...]] = get_args(BotPermission)
"""What the bot needs in a guild and in each channel that it writes to, by Discord's names."""


class GuildChannel(Wire):
    """A text channel, and the permissions that the bot lacks in it."""

    id: Snowflake
    name: str
    category: str | None = None
    missing: tuple[BotPermission, ...] = ()


class GuildDetail(RpcAnswer):
    """The bot's permissions in a guild and in its text channels, as of `at`: while the shard is disconnected, its end.

    `missing` are those that the bot's roles lack in the whole guild.
    """

    guild_id: Snowflake
    missing: tuple[BotPermission, ...] = ()
    channels: tuple[GuildChannel, ...] = ()
    at: datetime


class GuildDetailRequest(GuildRequest[GuildDetail]):
    """Read the bot's permissions in a guild and its text channels, in Discord's order."""

    method: Literal["guild_detail"] = "guild_detail"


GuildChangeKind = Literal[
    "added",
    "removed",
    "left",
    "outage",
    "recovered",
    "renamed",
    "module_on",
    "module_off",
    "modules_delegated",
    "modules_withdrawn",
    "commands_changed",
    "blocked",
    "unblocked",
]


class GuildChange(Wire):
    """A change of a guild, as the bot recorded it.

    :param kind: a `GuildChangeKind` (`removed` is on a user's request), or one of a later version of the bot.
    :param actor: the name of the user who made it.
    :param detail: for `renamed`, the new name; for a module, which; for `modules_delegated`, the role;
        for `commands_changed`, those that are off.
    """

    at: datetime
    kind: str
    actor: str | None = None
    detail: str | None = None


CommandOutcome = Literal["done", "refused", "failed"]


class CommandUse(Wire):
    """A use of a slash command in a guild. Whose, is not recorded."""

    at: datetime
    command: str
    outcome: CommandOutcome


class GuildHistory(RpcAnswer):
    """Newest first."""

    changes: tuple[GuildChange, ...] = ()
    commands: tuple[CommandUse, ...] = ()


class GuildHistoryRequest(RpcRequest[GuildHistory]):
    """List the newest changes of a guild and the newest uses of commands in it, at most `limit` of each."""

    method: Literal["guild_history"] = "guild_history"
    guild_id: Snowflake
    limit: int = Field(default=10, ge=1, le=100)


class GuildLeave(RpcAnswer):
    """The bot left the guild at `left_at`."""

    guild_id: Snowflake
    left_at: datetime


class GuildLeaveRequest(GuildCommand[GuildLeave]):
    """Leave a guild, on behalf of a user who manages it."""

    method: Literal["guild_leave"] = "guild_leave"


class GuildExpelRequest(GuildCommand[GuildLeave]):
    """Leave a guild, on behalf of an administrator of the project, who need not manage it."""

    method: Literal["guild_expel"] = "guild_expel"


ModuleName = Literal["feed", "log"]
MODULES: Final[tuple[ModuleName, ...]] = get_args(ModuleName)
"""`feed`: a receipt for each notification that is posted in the server, or cannot be. `log`: the uses of commands, and
the changes of modules."""


class ModuleState(RpcAnswer):
    """A module of a guild. It works from the moment of the change on, without a restart.

    :param revision: grows with each change; 0: never set.
    :param missing: the permissions that the bot lacks in the channel; None: not known, as the guild has an outage.
    :param is_channel_gone: the bot does not see the channel any more.
    """

    module: ModuleName
    enabled: bool = False
    channel_id: Snowflake | None = None
    revision: int = 0
    missing: tuple[BotPermission, ...] | None = ()
    is_channel_gone: bool = False


class GuildModules(RpcAnswer):
    """Every module of a guild, in the order of `MODULES`."""

    guild_id: Snowflake
    modules: tuple[ModuleState, ...]


class ModuleGetRequest(GuildRequest[GuildModules]):
    """Read the modules of a guild, with what keeps each from working."""

    method: Literal["module_get"] = "module_get"


class ModulePutRequest(GuildCommand[ModuleState]):
    """Switch a module of a guild on or off, and set its channel, on behalf of a user who manages the guild or has the
    role to which its modules are delegated.

    :param revision: of the state that the user changes; another one is refused with `module_outdated`.
    """

    method: Literal["module_put"] = "module_put"
    module: ModuleName
    enabled: bool
    channel_id: Snowflake | None = None
    revision: int = Field(ge=0)


class GuildRole(Wire):
    """A role of a guild."""

    id: Snowflake
    name: str


class ModuleDelegation(RpcAnswer):
    """Which role of a guild may manage its modules, besides the guild's managers; None for no role.

    :param revision: grows with each change; 0: never set.
    :param roles: those that can be selected, the highest first; none while the guild has an outage.
    """

    guild_id: Snowflake
    role_id: Snowflake | None = None
    revision: int = 0
    roles: tuple[GuildRole, ...] = ()


class DelegationGetRequest(GuildRequest[ModuleDelegation]):
    """Read which role may manage the modules of a guild."""

    method: Literal["delegation_get"] = "delegation_get"


class DelegationPutRequest(GuildCommand[ModuleDelegation]):
    """Set which role may manage the modules of a guild, on behalf of a user who manages the guild.

    :param revision: of the state that the user changes; another one is refused with `delegation_outdated`.
    """

    method: Literal["delegation_put"] = "delegation_put"
    role_id: Snowflake | None = None
    revision: int = Field(ge=0)


class DelegatedGuilds(RpcAnswer):
    """The IDs of guilds. For those that were not checked yet, ask with `next` as `after`."""

    ids: tuple[Snowflake, ...] = ()
    next: Snowflake | None = None


class DelegatedGuildsRequest(RpcRequest[DelegatedGuilds]):
    """Find the guilds whose modules a user may manage by a role that the user has now, as Discord says.

    The answer leaves out a guild about which Discord does not answer.
    """

    method: Literal["delegated_guilds"] = "delegated_guilds"
    user_id: UUID
    ids: tuple[Snowflake, ...] = Field(max_length=GUILDS_PAGE)
    after: Snowflake | None = None


class ChannelAuthority(RpcAnswer):
    """A channel of a guild that the user manages."""

    channel_id: Snowflake
    channel_name: str
    guild_id: Snowflake
    guild_name: str


class ChannelAuthorityRequest(ServiceRequest[ChannelAuthority]):
    """Check at Discord that a user manages the guild of a channel."""

    method: Literal["channel_authority"] = "channel_authority"
    channel_id: Snowflake
    user_id: UUID


class GuildAuthority(RpcAnswer):
    """A guild that the user manages."""

    guild_id: Snowflake
    guild_name: str


class GuildAuthorityRequest(ServiceRequest[GuildAuthority]):
    """Check at Discord that a user manages a guild."""

    method: Literal["guild_authority"] = "guild_authority"
    guild_id: Snowflake
    user_id: UUID


class MessageSent(RpcAnswer):
    """The message at Discord."""

    message_id: Snowflake
    channel_id: Snowflake


class SendMessageRequest(ServiceRequest[MessageSent]):
    """Post a message into a channel, or send it to a user's direct messages.

    Requests with the same nonce post one message. Mentions notify no user.

    :param user_id: of Bongsu; the message goes to the linked Discord account.
    :param guild_id: the channel's guild, where notify knows it: its feed gets a receipt.
    :param on_behalf_of: the user who must manage the channel's guild; None where notify has checked it.
    :param embed: in Discord's format.
    """

    method: Literal["send_message"] = "send_message"
    channel_id: Snowflake | None = None
    user_id: UUID | None = None
    guild_id: Snowflake | None = None
    on_behalf_of: UUID | None = None
    nonce: str = Field(pattern=r"^[A-Za-z0-9_-]{1,25}$")
    text: str | None = Field(default=None, max_length=2000)
    embed: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.channel_id is None) == (self.user_id is None):
            raise ValueError("give either channel_id or user_id")
        return self


def guild_target(guild_id: int) -> str:
    """The target of an assertion, or of an audit entry, about a guild."""
    return f"guild:{guild_id}"


def shard_of(guild_id: int, shards: int) -> int:
    """The shard of a guild, by Discord's rule."""
    return (guild_id >> 22) % shards
