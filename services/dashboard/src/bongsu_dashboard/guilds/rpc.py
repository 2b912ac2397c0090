"""The bot over the broker."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from bongsu.broker import Broker, BrokerError, RpcError, RpcTimeout
from bongsu.broker.requests import ask
from bongsu.contracts.blocked_guilds import (
    BlockedGuildList,
    BlockedGuildListRequest,
    GuildBlockRequest,
    GuildUnblockRequest,
)
from bongsu.contracts.guild_commands import CommandsGetRequest, CommandsPutRequest, GuildCommands
from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.rpc import (
    GUILDS_PAGE,
    BotStatus,
    DelegatedGuilds,
    DelegatedGuildsRequest,
    DelegationGetRequest,
    DelegationPutRequest,
    GuildDetail,
    GuildDetailRequest,
    GuildExpelRequest,
    GuildHistory,
    GuildHistoryRequest,
    GuildLeaveRequest,
    GuildList,
    GuildListRequest,
    GuildModules,
    ModuleDelegation,
    ModuleGetRequest,
    ModuleName,
    ModulePutRequest,
    ModuleState,
    RpcAnswer,
    RpcRequest,
    ShardStatusRequest,
)
from bongsu.runtime.errors import Forbidden, ServiceError
from bongsu.runtime.logging import get_logger
from bongsu_dashboard.errors import (
    AccessOutdated,
    BotNotRemoved,
    BotSilent,
    ChannelNotWritable,
    CommandsOutdated,
    ModuleOutdated,
    RemovalOutdated,
    RemovalUnknown,
    RoleUnknown,
)

log = get_logger(__name__)
Answer = TypeVar("Answer", bound=RpcAnswer)

REFUSALS: Final = frozenset(
    {
        "forbidden",
        "not_linked",
        "assertion_refused",
        "request_outdated",
        "module_outdated",
        "channel_not_found",
        "channel_required",
        "role_not_found",
        "delegation_outdated",
        "command_unknown",
        "commands_outdated",
    }
)
UNKNOWN_OUTCOMES: Final = frozenset({"discord_unavailable", "shard_unavailable", "internal"})
"""Errors after which the bot may have left the guild: Discord or another process of the bot did not answer."""


class RpcBot:
    """Implements `Bot`.

    :param timeout_s: the deadline of a page's request.
    :param leave_timeout_s: the deadline of a removal, or of another change, about which the bot asks Discord.
    """

    def __init__(self, broker: Broker, *, timeout_s: float, leave_timeout_s: float) -> None:
        self._broker = broker
        self._timeout_s = timeout_s
        self._leave_timeout_s = leave_timeout_s

    async def fetch_status(self, *, counted: bool = True) -> BotStatus:
        return await self._ask(ShardStatusRequest(counted=counted), self._timeout_s)

    async def list_guilds(self, ids: Sequence[int]) -> Mapping[int, GuildSummary]:
        found: dict[int, GuildSummary] = {}
        for start in range(0, len(ids), GUILDS_PAGE):
            request = GuildListRequest(ids=tuple(ids[start : start + GUILDS_PAGE]))
            answer = await self._ask(request, self._timeout_s)
            found.update({guild.id: guild for guild in answer.guilds})
        return found

    async def list_all_guilds(self, *, after: int | None, limit: int, search: str | None = None) -> GuildList:
        return await self._ask(GuildListRequest(after=after, limit=limit, search=search), self._timeout_s)

    async def list_blocked(self, *, after: int | None, limit: int) -> BlockedGuildList:
        return await self._ask(BlockedGuildListRequest(after=after, limit=limit), self._timeout_s)

    async def is_blocked(self, guild_id: int) -> bool:
        return bool((await self._ask(BlockedGuildListRequest(ids=(guild_id,)), self._timeout_s)).guilds)

    async def block_guild(self, guild_id: int, *, reason: str, assertion: str, key: str) -> None:
        await self._command(
            GuildBlockRequest(guild_id=guild_id, reason=reason, assertion=assertion, idempotency_key=key)
        )

    async def unblock_guild(self, guild_id: int, *, assertion: str, key: str) -> None:
        await self._command(GuildUnblockRequest(guild_id=guild_id, assertion=assertion, idempotency_key=key))

    async def load_detail(self, guild_id: int) -> GuildDetail | None:
        try:
            return await self._ask(GuildDetailRequest(guild_id=guild_id), self._timeout_s)
        except RpcError:
            return None

    async def load_history(self, guild_id: int) -> GuildHistory:
        return await self._ask(GuildHistoryRequest(guild_id=guild_id), self._timeout_s)

    async def load_modules(self, guild_id: int) -> GuildModules:
        try:
            return await self._ask(ModuleGetRequest(guild_id=guild_id), self._timeout_s)
        except RpcError as error:
            raise BotSilent from error

    async def put_module(  # noqa: PLR0913 - a request's fields
        self,
        guild_id: int,
        module: ModuleName,
        *,
        enabled: bool,
        channel_id: int | None,
        revision: int,
        assertion: str,
        key: str,
    ) -> ModuleState:
        request = ModulePutRequest(
            guild_id=guild_id,
            module=module,
            enabled=enabled,
            channel_id=channel_id,
            revision=revision,
            assertion=assertion,
            idempotency_key=key,
        )
        return await self._command(
            request,
            module_outdated=ModuleOutdated,
            channel_not_found=ChannelNotWritable,
            channel_required=ChannelNotWritable,
        )

    async def list_delegated(self, user_id: UUID, ids: Sequence[int], *, after: int | None = None) -> DelegatedGuilds:
        if not ids:
            return DelegatedGuilds()
        request = DelegatedGuildsRequest(user_id=user_id, ids=tuple(ids[:GUILDS_PAGE]), after=after)
        return await self._ask(request, self._timeout_s)

    async def load_delegation(self, guild_id: int) -> ModuleDelegation:
        try:
            return await self._ask(DelegationGetRequest(guild_id=guild_id), self._timeout_s)
        except RpcError as error:
            raise BotSilent from error

    async def put_delegation(
        self, guild_id: int, *, role_id: int | None, revision: int, assertion: str, key: str
    ) -> ModuleDelegation:
        request = DelegationPutRequest(
            guild_id=guild_id, role_id=role_id, revision=revision, assertion=assertion, idempotency_key=key
        )
        return await self._command(request, delegation_outdated=AccessOutdated, role_not_found=RoleUnknown)

    async def load_commands(self, guild_id: int) -> GuildCommands:
        try:
            return await self._ask(CommandsGetRequest(guild_id=guild_id), self._timeout_s)
        except RpcError as error:
            raise BotSilent from error

    async def put_commands(
        self, guild_id: int, *, off: Sequence[str], revision: int, assertion: str, key: str
    ) -> GuildCommands:
        request = CommandsPutRequest(
            guild_id=guild_id, off=tuple(off), revision=revision, assertion=assertion, idempotency_key=key
        )
        # A command is unknown to another version of the bot.
        return await self._command(request, commands_outdated=CommandsOutdated, command_unknown=CommandsOutdated)

    async def leave_guild(self, guild_id: int, *, assertion: str, key: str, as_administrator: bool = False) -> None:
        kind = GuildExpelRequest if as_administrator else GuildLeaveRequest
        request = kind(guild_id=guild_id, assertion=assertion, idempotency_key=key)
        try:
            await self._ask(request, self._leave_timeout_s)
        except RpcError as error:
            if error.code == "request_outdated":
                raise RemovalOutdated from error
            if error.code != "guild_not_found":
                raise Forbidden(error.detail, code=error.code) from error
        except BotSilent as error:
            cause = error.__cause__
            if isinstance(cause, RpcTimeout) or (isinstance(cause, RpcError) and cause.code in UNKNOWN_OUTCOMES):
                raise RemovalUnknown from error
            raise BotNotRemoved from error

    async def _command(self, request: RpcRequest[Answer], **refusals: type[ServiceError]) -> Answer:
        """Ask for a change.

        :param refusals: the error for a code; it is Forbidden for every other.
        """
        try:
            return await self._ask(request, self._leave_timeout_s)
        except RpcError as error:
            if error.code in refusals:
                raise refusals[error.code] from error
            raise Forbidden(error.detail, code=error.code) from error

    async def _ask(self, request: RpcRequest[Answer], deadline_s: float) -> Answer:
        """:raises RpcError: a refusal, or `guild_not_found`; every other failure is BotSilent."""
        try:
            return await ask(self._broker, request, deadline_s=deadline_s)
        except BrokerError as error:
            if isinstance(error, RpcError) and error.code in REFUSALS | {"guild_not_found"}:
                raise
            log.warning("bot.silent", reason=str(error))
            raise BotSilent from error
