"""The RPC method `guild_leave`."""

from bongsu.contracts.rpc import GuildLeave, GuildLeaveRequest
from bongsu_bot.leave_requests.service import LeaveRequests
from bongsu_bot.rpc.registry import Call, Registry


class LeaveHandlers:
    """The RPC edge of `LeaveRequests`."""

    def __init__(self, requests: LeaveRequests) -> None:
        self._requests = requests

    def register(self, registry: Registry) -> None:
        registry.add(GuildLeaveRequest, self.leave)

    async def leave(self, request: GuildLeaveRequest, call: Call) -> GuildLeave:
        left_at = await self._requests.leave(call.actor_id, request.guild_id, request.idempotency_key)
        return GuildLeave(guild_id=request.guild_id, left_at=left_at)
