"""The RPC methods about the block list."""

from bongsu.contracts.blocked_guilds import (
    BlockedGuildList,
    BlockedGuildListRequest,
    GuildBlock,
    GuildBlockRequest,
    GuildUnblock,
    GuildUnblockRequest,
)
from bongsu_bot.blocked_guilds import service
from bongsu_bot.blocked_guilds.service import BlockedGuilds
from bongsu_bot.rpc.registry import Call, Registry


class BlockedGuildHandlers:
    """The RPC edge of `BlockedGuilds`."""

    def __init__(self, blocked: BlockedGuilds) -> None:
        self._blocked = blocked

    def register(self, registry: Registry) -> None:
        registry.add(GuildBlockRequest, self.block)
        registry.add(GuildUnblockRequest, self.unblock)
        registry.add(BlockedGuildListRequest, self.list_blocked)

    async def block(self, request: GuildBlockRequest, call: Call) -> GuildBlock:
        blocked = await self._blocked.block(call.actor_id, request.guild_id, request.reason)
        return GuildBlock(guild_id=blocked.id, reason=blocked.reason, blocked_at=blocked.created_at)

    async def unblock(self, request: GuildUnblockRequest, call: Call) -> GuildUnblock:
        return GuildUnblock(
            guild_id=request.guild_id, was_blocked=await self._blocked.unblock(call.actor_id, request.guild_id)
        )

    async def list_blocked(self, request: BlockedGuildListRequest, _call: Call) -> BlockedGuildList:
        if request.ids is not None:
            return BlockedGuildList(guilds=tuple(await service.find(request.ids)))
        found, following = await service.list_page(after=request.after or 0, limit=request.limit)
        return BlockedGuildList(guilds=tuple(found), next=following)
