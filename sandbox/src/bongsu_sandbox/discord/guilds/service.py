"""Changes of guilds, and the events that report them to the bot."""

from collections.abc import Iterator

from bongsu_sandbox.discord.errors import DiscordError, missing_access, missing_permissions, unknown
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.discord.guilds.models import (
    MANAGE_MESSAGES,
    SEND_MESSAGES,
    Channel,
    Guild,
    Member,
    direct_channel_id,
    direct_channel_to_wire,
    direct_recipient_id,
)
from bongsu_sandbox.discord.snowflakes import shard_of
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.discord.world import World, add_bot, remove_bot


class Guilds:
    """Changes guilds. Every change is stored, and dispatched to the bot if it is a member."""

    def __init__(self, world: World, hub: Hub, bot: User) -> None:
        self._world = world
        self._hub = hub
        self._bot = bot
        self.left = 0
        """The number of times that the bot has left a guild."""

    def list_of(self, user_id: int) -> list[Guild]:
        """List a user's guilds by ID."""
        return sorted((one for one in self._world.guilds.values() if user_id in one.members), key=lambda one: one.id)

    def find_for_bot(self, guild_id: int | None) -> Guild:
        """Find a guild of which the bot is a member.

        :raises DiscordError: unknown guild, or the bot is not a member; Discord does not distinguish them.
        """
        guild = self._world.find_guild(guild_id)
        if self._bot.id not in guild.members:
            raise unknown("Guild")
        if guild.unavailable:
            raise DiscordError(503, 0, "Guild is unavailable")
        return guild

    def find_member(self, guild: Guild, user_id: int | None) -> Wire:
        """Find a member of a guild.

        :raises DiscordError: that user is no member.
        """
        found = guild.members.get(user_id or 0)
        if found is None:
            raise unknown("Member")
        return found.to_wire(self._world.find_user(found.user_id))

    def find_channel(self, channel_id: int | None) -> tuple[Guild, Channel]:
        """Find a channel of the bot's guilds, and its guild.

        :raises DiscordError: unknown channel, or the bot is not in its guild.
        """
        for guild in self._world.guilds.values():
            channel = guild.channels.get(channel_id or 0)
            if channel is not None:
                if self._bot.id not in guild.members:
                    raise missing_access()
                return guild, channel
        raise unknown("Channel")

    def find_direct_recipient(self, channel_id: int | None) -> User | None:
        """Find the user of a channel of direct messages; None for another channel.

        :raises DiscordError: unknown user.
        """
        user_id = direct_recipient_id(channel_id or 0)
        return None if user_id is None else self._world.find_user(user_id)

    def open_direct(self, user_id: int | None) -> Wire:
        """Return the channel of the direct messages with a user.

        :raises DiscordError: unknown user, or the bot itself.
        """
        user = self._world.find_user(user_id)
        if user.id == self._bot.id:
            raise DiscordError(400, 50007, "Cannot send messages to this user")
        return direct_channel_to_wire(user)

    def channel_to_wire(self, channel_id: int | None) -> Wire:
        """Return a channel that the bot sees.

        :raises DiscordError: as `find_channel`.
        """
        user = self.find_direct_recipient(channel_id)
        return direct_channel_to_wire(user) if user is not None else self.find_channel(channel_id)[1].to_wire()

    def require_readable(self, channel_id: int | None) -> int:
        """Return the ID of a channel of which the bot may read the messages.

        :raises DiscordError: as `find_channel`.
        """
        user = self.find_direct_recipient(channel_id)
        return direct_channel_id(user.id) if user is not None else self.find_channel(channel_id)[1].id

    def shares_guild(self, user_id: int) -> bool:
        """Whether a user is in a guild with the bot: only then they can write to each other."""
        return any({user_id, self._bot.id} <= guild.members.keys() for guild in self._world.guilds.values())

    def require_writable(self, channel_id: int | None) -> int:
        """Return the ID of a channel in which the bot may send messages.

        :raises DiscordError: unknown channel, a missing permission, or a user who shares no guild with the bot.
        """
        user = self.find_direct_recipient(channel_id)
        if user is not None:
            if not self.shares_guild(user.id):
                raise DiscordError(403, 50007, "Cannot send messages to this user")
            return direct_channel_id(user.id)
        guild, channel = self.find_channel(channel_id)
        if not guild.permissions_of(self._bot.id) & SEND_MESSAGES:
            raise missing_permissions()
        return channel.id

    def require_deletable(self, channel_id: int, *, author_id: int) -> None:
        """Check that the bot may delete a message.

        :raises DiscordError: another author's, and the bot may not manage messages.
        """
        if author_id == self._bot.id:
            return
        guild = None if direct_recipient_id(channel_id) is not None else self.find_channel(channel_id)[0]
        if guild is None or not guild.permissions_of(self._bot.id) & MANAGE_MESSAGES:
            raise missing_permissions()

    def join(self, guild: Guild, *, permissions: int = 0) -> None:
        """Add the bot; if it is a member, give its role the permissions that it lacks, as Discord does."""
        if self._bot.id in guild.members:
            self._extend(guild, permissions)
            return
        add_bot(guild, self._bot, permissions=permissions)
        self._world.save()
        self._dispatch_create(guild, newly_joined=True)

    def _extend(self, guild: Guild, permissions: int) -> None:
        role = next(one for one in guild.roles.values() if one.bot_id == self._bot.id)
        role.permissions |= permissions
        self._world.save()
        event: dict[str, object] = {"guild_id": str(guild.id), "role": role.to_wire()}
        self._hub.dispatch("GUILD_ROLE_UPDATE", event, guild_id=guild.id)

    def leave(self, guild: Guild) -> None:
        """Remove the bot, if it is a member."""
        if self._bot.id not in guild.members:
            return
        remove_bot(guild, self._bot)
        self._world.save()
        self.left += 1
        self._hub.dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild_id=guild.id)

    def delete(self, guild: Guild) -> None:
        """Delete a guild. The bot gets the same event as for a removal."""
        del self._world.guilds[guild.id]
        self._world.save()
        if self._bot.id in guild.members:
            self._hub.dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild_id=guild.id)

    def set_unavailable(self, guild: Guild, *, unavailable: bool) -> None:
        if guild.unavailable == unavailable:
            return
        guild.unavailable = unavailable
        self._world.save()
        if self._bot.id not in guild.members:
            return
        if unavailable:
            self._hub.dispatch("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}, guild_id=guild.id)
        else:
            self._dispatch_create(guild, newly_joined=False)

    def rename(self, guild: Guild, name: str) -> None:
        guild.name = name
        self._world.save()
        if self._bot.id in guild.members and not guild.unavailable:
            self._hub.dispatch("GUILD_UPDATE", guild.to_wire(), guild_id=guild.id)

    def add(self, guild: Guild) -> None:
        self._world.guilds[guild.id] = guild
        self._world.save()

    def set_member(self, guild: Guild, member: Member) -> None:
        guild.members[member.user_id] = member
        self._world.save()

    def remove_member(self, guild: Guild, user_id: int) -> None:
        guild.members.pop(user_id, None)
        self._world.save()

    def first_events(self, shard_id: int, shards: int) -> Iterator[tuple[int, Wire | None]]:
        """Yield the bot's guilds on a shard with the data of GUILD_CREATE, or None for an unavailable guild."""
        for guild in self.list_of(self._bot.id):
            if shard_of(guild.id, shards) == shard_id:
                yield guild.id, None if guild.unavailable else guild.to_event(self._bot, newly_joined=False)

    def _dispatch_create(self, guild: Guild, *, newly_joined: bool) -> None:
        event: Wire = {"id": str(guild.id), "unavailable": True}
        if not guild.unavailable:
            event = guild.to_event(self._bot, newly_joined=newly_joined)
        self._hub.dispatch("GUILD_CREATE", event, guild_id=guild.id)
