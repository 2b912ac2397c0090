"""Removes the references to a deleted account. Runs in the caller's unit of work."""

from uuid import UUID

from bongsu_bot.blocked_guilds.models import BlockedGuild
from bongsu_bot.delegations.models import GuildDelegation
from bongsu_bot.guild_commands.models import GuildCommandSettings
from bongsu_bot.history.models import GuildChangeEntry
from bongsu_bot.installs.models import GuildInstall
from bongsu_bot.leave_requests.models import LeaveRequest
from bongsu_bot.modules.models import GuildModule


async def forget(user_id: UUID) -> None:
    """Keep the settings and the history of guilds without the user, and delete the user's leave requests.

    A request that runs at this moment ends as it would have: only its record for a repetition is gone.
    """
    await GuildChangeEntry.filter_by(actor_id=user_id).update(actor_id=None)
    await GuildModule.filter_by(changed_by=user_id).update(changed_by=None)
    await GuildCommandSettings.filter_by(changed_by=user_id).update(changed_by=None)
    await GuildDelegation.filter_by(changed_by=user_id).update(changed_by=None)
    await BlockedGuild.filter_by(blocked_by=user_id).update(blocked_by=None)
    await GuildInstall.filter_by(actor_id=user_id).delete()
    await LeaveRequest.filter_by(actor_id=user_id).delete()
