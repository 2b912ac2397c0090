"""The RPC methods `guild_leave` and `guild_expel`."""

from bongsu.contracts.rpc import GuildExpelRequest, GuildLeave, GuildLeaveRequest
from bongsu_bot.leave_requests.service import LeaveRequests
from bongsu_bot.rpc.registry import Call, Registry


class LeaveHandlers:
    """The RPC edge of `LeaveRequests`."""

    def __init__(self, requests: LeaveRequests) -> None:
        self._requests = requests

    def register(self, registry: Registry) -> None:
        registry.add(GuildLeaveRequest, self.leave)
        registry.add(GuildExpelRequest, self.expel)

    async def leave(self, request: GuildLeaveRequest, call: Call) -> GuildLeave:
        left_at = await self._requests.leave(call.actor_id, request.guild_id, request.idempotency_key)
        return GuildLeave(guild_id=request.guild_id, left_at=left_at)

    async def expel(self, request: GuildExpelRequest, call: Call) -> GuildLeave:
        left_at = await self._requests.leave(
            call.actor_id, request.guild_id, request.idempotency_key, as_administrator=True
        )
        return GuildLeave(guild_id=request.guild_id, left_at=left_at)
