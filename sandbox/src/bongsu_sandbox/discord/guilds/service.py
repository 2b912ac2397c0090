"""Guilds as they change, and the events that tell the bot."""

from collections.abc import Iterator

from bongsu_sandbox.discord.errors import DiscordError, Wire, missing_access, unknown
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.discord.guilds.models import Channel, Guild, Member
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.world import World, add_bot, remove_bot


class Guilds:
    """What happens to guilds. Every change is kept, and sent to the bot if it is in the guild."""

    def __init__(self, world: World, hub: Hub, bot: User) -> None:
        self._world = world
        self._hub = hub
        self._bot = bot
        self.left = 0
        """How often the bot has left a guild."""

    def of_bot(self) -> list[Guild]:
        """The guilds that the bot is in."""
        return self.of(self._bot.id)

    def of(self, user_id: int) -> list[Guild]:
        """A user's guilds, by id."""
        return sorted((one for one in self._world.guilds.values() if user_id in one.members), key=lambda one: one.id)

    def seen_by_bot(self, guild_id: int | None) -> Guild:
        """A guild that the bot is in.

        :raises DiscordError: there is none, or the bot is not in it: Discord does not tell which.
        """
        guild = self._world.guild(guild_id)
        if self._bot.id not in guild.members:
            raise unknown("Guild")
        if guild.unavailable:
            raise DiscordError(503, 0, "Guild is unavailable")
        return guild

    def member(self, guild: Guild, user_id: int | None) -> Wire:
        """A member as the bot sees them.

        :raises DiscordError: that user is no member.
        """
        found = guild.members.get(user_id or 0)
        if found is None:
            raise unknown("Member")
        return found.to_wire(self._world.user(found.user_id))

    def channel(self, channel_id: int | None) -> tuple[Guild, Channel]:
        """A channel that the bot sees, and its guild.

        :raises DiscordError: there is none, or the bot is not in its guild.
        """
        for guild in self._world.guilds.values():
            channel = guild.channels.get(channel_id or 0)
            if channel is not None:
                if self._bot.id not in guild.members:
                    raise missing_access()
                return guild, channel
        raise unknown("Channel")

    def join(self, guild: Guild, *, permissions: int = 0) -> bool:
        """The bot joins; False if it was there."""
        if self._bot.id in guild.members:
            return False
        add_bot(guild, self._bot, permissions=permissions)
        self._world.save()
        self._tell_create(guild, lately_joined=True)
        return True

    def leave(self, guild: Guild) -> bool:
        """The bot leaves, or is put out; False if it was not there."""
        if self._bot.id not in guild.members:
            return False
        remove_bot(guild, self._bot)
        self._world.save()
        self.left += 1
        self._hub.dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild_id=guild.id)
        return True

    def set_unavailable(self, guild: Guild, *, unavailable: bool) -> None:
        """An outage begins or ends."""
        if guild.unavailable == unavailable:
            return
        guild.unavailable = unavailable
        self._world.save()
        if self._bot.id not in guild.members:
            return
        if unavailable:
            self._hub.dispatch("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}, guild_id=guild.id)
        else:
            self._tell_create(guild, lately_joined=False)

    def rename(self, guild: Guild, name: str) -> None:
        """A guild gets another name."""
        guild.name = name
        self._world.save()
        if self._bot.id in guild.members and not guild.unavailable:
            self._hub.dispatch("GUILD_UPDATE", guild.to_wire(), guild_id=guild.id)

    def add(self, guild: Guild) -> None:
        """A new guild."""
        self._world.guilds[guild.id] = guild
        self._world.save()

    def set_member(self, guild: Guild, member: Member) -> None:
        """Somebody joins, or gets other roles."""
        guild.members[member.user_id] = member
        self._world.save()

    def remove_member(self, guild: Guild, user_id: int) -> None:
        """Somebody leaves."""
        guild.members.pop(user_id, None)
        self._world.save()

    def first_events(self, shard_id: int, shards: int) -> Iterator[tuple[int, Wire | None]]:
        """The bot's guilds on a shard, with what GUILD_CREATE says of each; None for one that is unavailable."""
        for guild in self.of_bot():
            if (guild.id >> 22) % shards == shard_id:
                yield guild.id, None if guild.unavailable else guild.to_event(self._bot, lately_joined=False)

    def _tell_create(self, guild: Guild, *, lately_joined: bool) -> None:
        if not guild.unavailable:
            event = guild.to_event(self._bot, lately_joined=lately_joined)
            self._hub.dispatch("GUILD_CREATE", event, guild_id=guild.id)
