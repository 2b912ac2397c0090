"""The RPC method `guild_history`."""

from bongsu.contracts.rpc import GuildHistory, GuildHistoryRequest
from bongsu_bot.history import service
from bongsu_bot.rpc.registry import Call, Registry


class HistoryHandlers:
    """The RPC edge of the history; any process answers, also while Discord is down."""

    def register(self, registry: Registry) -> None:
        registry.add(GuildHistoryRequest, self.list_history)

    async def list_history(self, request: GuildHistoryRequest, _call: Call) -> GuildHistory:
        return await service.list_history(request.guild_id, limit=request.limit)
