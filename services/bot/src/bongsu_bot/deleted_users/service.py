"""Removes the references to a deleted account. Runs in the caller's unit of work."""

from uuid import UUID

from bongsu_bot.history.models import GuildChangeEntry
from bongsu_bot.installs.models import GuildInstall
from bongsu_bot.leave_requests.models import LeaveRequest


async def forget(user_id: UUID) -> None:
    """Keep the history of guilds without the user, and delete the user's leave requests.

    A request that runs at this moment ends as it would have: only its record for a repetition is gone.
    """
    await GuildChangeEntry.filter_by(actor_id=user_id).update(actor_id=None)
    await GuildInstall.filter_by(actor_id=user_id).delete()
    await LeaveRequest.filter_by(actor_id=user_id).delete()
