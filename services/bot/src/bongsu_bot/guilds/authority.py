"""The check that a user manages a guild."""

from bongsu_bot.errors import NotAManager
from bongsu_bot.guilds.port import ADMINISTRATOR, MANAGE_GUILD, GuildDirectory, GuildPermissions


async def require_manager(
    directory: GuildDirectory, guild_id: int, user_id: int, *, or_role: int | None = None
) -> GuildPermissions:
    """Return a guild that a user owns, or in which the user has Administrator or Manage Server now.

    :param or_role: a role that is enough as well.
    :raises NotAManager: the user does not.
    :raises GuildNotFound: the bot is not in the guild.
    :raises Unavailable: Discord does not answer.
    """
    guild = await directory.get_permissions(guild_id)
    if guild.owner_id == user_id:
        return guild
    roles = await directory.get_member_roles(guild_id, user_id)
    permissions = 0
    if roles is not None:
        for role in {guild_id, *roles}:
            permissions |= guild.roles.get(role, 0)
    if not permissions & (ADMINISTRATOR | MANAGE_GUILD) and (roles is None or or_role not in roles):
        raise NotAManager
    return guild
