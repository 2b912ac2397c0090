"""The check that a user manages a guild."""

from uuid import UUID

from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.scopes import Role
from bongsu.mixins import Database
from bongsu_bot.errors import ChannelNotFound, NotAManager, NotAnAdministrator, NotLinked, needs_database
from bongsu_bot.guilds.port import ADMINISTRATOR, MANAGE_GUILD, ChannelInfo, GuildDirectory, GuildPermissions


class Authority:
    """What a user of Bongsu may do, by what Discord says now. Call it outside of units of work: it asks Discord."""

    def __init__(self, database: Database, directory: GuildDirectory) -> None:
        self._database = database
        self._directory = directory

    async def find_discord_user(self, user_id: UUID) -> int:
        """Return the ID of a user's Discord account.

        :raises NotLinked: the user has none.
        :raises BotNotReady: the database does not answer.
        """
        async with needs_database():
            subject = await self._database.run(LinkedAccount.find_subject, user_id, "discord")
        if subject is None:
            raise NotLinked
        return int(subject)

    async def require_for_guild(self, guild_id: int, user_id: UUID, *, or_role: int | None = None) -> GuildPermissions:
        """Return a guild that the user manages.

        :param or_role: a role of the guild that is enough as well.
        :raises NotLinked, BotNotReady: as `find_discord_user`.
        :raises NotAManager, GuildNotFound, Unavailable: as `require_manager`.
        """
        discord_user = await self.find_discord_user(user_id)
        return await require_manager(self._directory, guild_id, discord_user, or_role=or_role)

    async def require_administrator(self, user_id: UUID) -> None:
        """Check that a user is an administrator of the project.

        :raises NotAnAdministrator: the user has a lower role, or is blocked.
        :raises BotNotReady: the database does not answer.
        """
        async with needs_database():
            user = await self._database.run(User.get_or_none, user_id)
        if user is None or not user.is_active or not Role(user.role).includes(Role.ADMINISTRATOR):
            raise NotAnAdministrator

    async def require_for_channel(self, channel_id: int, user_id: UUID) -> tuple[ChannelInfo, GuildPermissions]:
        """Return a channel and its guild, which the user manages.

        :raises ChannelNotFound: the bot does not see the channel, or it is not in a guild.
        :raises NotLinked, NotAManager, GuildNotFound, BotNotReady, Unavailable: as `require_for_guild`.
        """
        channel = await self._directory.get_channel(channel_id)
        if channel.guild_id is None:
            raise ChannelNotFound
        return channel, await self.require_for_guild(channel.guild_id, user_id)


async def require_manager(
    directory: GuildDirectory, guild_id: int, discord_user_id: int, *, or_role: int | None = None
) -> GuildPermissions:
    """Return a guild that a user owns, or in which the user has Administrator or Manage Server now.

    :param or_role: a role that is enough as well.
    :raises NotAManager: the user does not.
    :raises GuildNotFound: the bot is not in the guild.
    :raises Unavailable: Discord does not answer.
    """
    guild = await directory.get_permissions(guild_id)
    if guild.owner_id == discord_user_id:
        return guild
    roles = await directory.get_member_roles(guild_id, discord_user_id)
    permissions = 0
    if roles is not None:
        for role in {guild_id, *roles}:
            permissions |= guild.roles.get(role, 0)
    if not permissions & (ADMINISTRATOR | MANAGE_GUILD) and (roles is None or or_role not in roles):
        raise NotAManager
    return guild
