"""Control of Discord's stand-in, for tests and demos."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bongsu.runtime.errors import Conflict, FieldError, Invalid, NotFound
from bongsu_sandbox.discord.applications.service import Commands
from bongsu_sandbox.discord.channels.service import Messages
from bongsu_sandbox.discord.control.schemas import (
    Drop,
    GatewayChange,
    GuildChange,
    Id,
    MemberChange,
    NewCommand,
    NewGuild,
    NewPress,
    UserChange,
)
from bongsu_sandbox.discord.front import Front
from bongsu_sandbox.discord.gateway.connection import INVALID_SESSION, NOT_RESUMABLE, RECONNECT
from bongsu_sandbox.discord.gateway.hub import Counts, Hub
from bongsu_sandbox.discord.gateway.session import Close, Cut, Outgoing, packet
from bongsu_sandbox.discord.guilds.models import EVERYONE, Channel, Guild, Member, Role, direct_channel_id
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.interactions.service import Command, Interaction, Interactions
from bongsu_sandbox.discord.rate_limits import Limits
from bongsu_sandbox.discord.snowflakes import Snowflakes, parse
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import Wire


@dataclass(frozen=True)
class Control:
    """Changes and reports the state of the stand-in."""

    front: Front
    hub: Hub
    guilds: Guilds
    commands: Commands
    interactions: Interactions
    messages: Messages
    snowflakes: Snowflakes

    def state(self) -> Wire:
        application, world = self.front.application, self.front.world
        return {
            "application_id": str(application.id),
            "users": [_view_user(user) for user in world.users.values()],
            "guilds": [self._view_guild(guild) for guild in world.guilds.values()],
            "commands": self.commands.list_all(str(application.id)),
            "gateway": {
                "sessions": [
                    {
                        "id": session.id,
                        "shard_id": session.shard_id,
                        "shards": session.shards,
                        "sequence": session.sequence,
                        "connected": session.is_connected,
                    }
                    for session in self.hub.sessions
                ],
                **asdict(self.hub.counts),
            },
            "rest": dict(self.front.requests),
            "leaves": self.guilds.left,
            "command_syncs": self.commands.syncs,
            "messages": self.messages.count,
        }

    def reset(self) -> None:
        """Restore users, guilds, grants, counts and limits; the bot identifies again."""
        self.front.world.reset()
        self.front.requests.clear()
        self.front.rate_limits.limits = Limits()
        for session in self.hub.sessions:
            session.end(packet(INVALID_SESSION, False))
            self.hub.forget(session)
        self.hub.counts = Counts()
        self.guilds.left = 0
        self.commands.syncs = 0

    def make_guild(self, wanted: NewGuild) -> Wire:
        owner = self._user(wanted.owner_id)
        guild_id = self.snowflakes.make()
        everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE)
        channel = Channel(id=self.snowflakes.make(), guild_id=guild_id, name="general")
        guild = Guild(
            id=guild_id,
            name=wanted.name,
            owner_id=owner.id,
            preferred_locale=wanted.locale,
            roles={guild_id: everyone},
            channels={channel.id: channel},
            members={owner.id: Member(user_id=owner.id, joined_at=datetime.now(UTC))},
        )
        self.guilds.add(guild)
        if wanted.bot:
            self.guilds.join(guild)
        return self._view_guild(guild)

    def change_guild(self, guild_id: str, change: GuildChange) -> Wire:
        guild = self._guild(guild_id)
        if change.owner_id is not None:
            owner = self._user(change.owner_id)
            if owner.id not in guild.members:
                raise Invalid("Only a member can own a guild", code="not_a_member")
            guild.owner_id = owner.id
        if change.everyone is not None:
            guild.roles[guild.id].permissions = change.everyone
        if change.bot is not None:
            (self.guilds.join if change.bot else self.guilds.leave)(guild)
        if change.unavailable is not None:
            self.guilds.set_unavailable(guild, unavailable=change.unavailable)
        self.guilds.rename(guild, change.name or guild.name)
        return self._view_guild(guild)

    def set_member(self, guild_id: str, user_id: str, change: MemberChange) -> None:
        """Add or change a member with these roles and permissions."""
        guild, user = self._guild(guild_id), self._user(user_id)
        roles = [int(role) for role in change.roles if int(role) in guild.roles]
        if change.permissions:
            role = Role(id=self.snowflakes.make(), name="Made by a test", permissions=change.permissions)
            guild.roles[role.id] = role
            roles.append(role.id)
        self.guilds.set_member(guild, Member(user_id=user.id, roles=roles, joined_at=datetime.now(UTC)))

    def remove_member(self, guild_id: str, user_id: str) -> None:
        guild, user = self._guild(guild_id), self._user(user_id)
        if guild.owner_id == user.id:
            raise Conflict("The owner cannot leave", code="owner")
        self.guilds.remove_member(guild, user.id)

    def change_user(self, user_id: str, change: UserChange) -> Wire:
        user = self._user(user_id)
        for name in change.model_fields_set:
            setattr(user, name, getattr(change, name))
        self.front.world.save()
        return _view_user(user)

    def drop(self, drop: Drop) -> int:
        """End the bot's connections, or ask the bot to. Returns their number."""
        outgoing: dict[str, Outgoing] = {
            "reset": Cut(),
            "close": Close(drop.code, "Dropped by a test"),
            "reconnect": packet(RECONNECT),
            "invalid_session": packet(INVALID_SESSION, False),
        }
        is_final = drop.how == "invalid_session" or (drop.how == "close" and drop.code in NOT_RESUMABLE)
        return self.hub.end_connections(outgoing[drop.how], drop.shard_id, resumable=not is_final)

    def change_gateway(self, change: GatewayChange) -> None:
        if change.heartbeat_ms is not None:
            self.hub.heartbeat_ms = change.heartbeat_ms
        for name in change.model_fields_set - {"heartbeat_ms"}:
            if getattr(change, name) is not None:
                setattr(self.hub, name, getattr(change, name))

    def request_heartbeats(self) -> int:
        """Send op 1 to every connection. Returns their number."""
        return self.hub.request_heartbeats()

    def delete_guild(self, guild_id: str) -> None:
        """Delete a guild, as its owner does."""
        self.guilds.delete(self._guild(guild_id))

    def set_limits(self, limits: Limits) -> Limits:
        self.front.rate_limits.limits = limits
        return limits

    async def run_command(self, wanted: NewCommand) -> Wire:
        interaction = self._start_command(wanted)
        await self.interactions.wait_until_settled(interaction, wanted.wait_s)
        return interaction.view()

    def _start_command(self, wanted: NewCommand) -> Interaction:
        user = self._user(wanted.user_id)
        guild = None if wanted.guild_id is None else self._guild(wanted.guild_id)
        channel_id = self._find_direct(user) if guild is None else self._find_channel(guild, user, wanted.channel_id)
        commands = self.commands.list_direct() if guild is None else self.commands.list_in(guild.id)
        known = [str(command["name"]) for command in commands]
        if wanted.command.split()[0] not in known and not wanted.unregistered:
            there = f"there is {', '.join(known)}" if known else "it has registered none"
            raise Invalid(f"The bot has no such command; {there}", code="no_command", errors=[_at("command")])
        command = Command(
            path=wanted.command,
            options=wanted.options,
            user=user,
            guild=guild,
            channel_id=channel_id,
            locale=wanted.locale or user.locale,
        )
        return self.interactions.start(command, commands)

    def _find_direct(self, user: User) -> int:
        if not self.guilds.shares_guild(user.id):
            raise Invalid(f"{user.name} shares no server with the bot", code="no_shared_guild", errors=[_at("user_id")])
        return direct_channel_id(user.id)

    def _find_channel(self, guild: Guild, user: User, wanted: Id | None) -> int:
        if user.id not in guild.members:
            raise Invalid(f"{user.name} is not in {guild.name}", code="not_a_member", errors=[_at("user_id")])
        if self.front.application.id not in guild.members:
            raise Invalid(f"The bot is not in {guild.name}", code="bot_absent", errors=[_at("guild_id")])
        channel_id = next(iter(guild.channels)) if wanted is None else parse(wanted)
        if channel_id is None or channel_id not in guild.channels:
            raise Invalid(f"{guild.name} has no such channel", code="no_channel", errors=[_at("channel_id")])
        return channel_id

    async def press(self, interaction_id: str, wanted: NewPress) -> Wire:
        found = next((one for one in self.interactions.recent if one.id == parse(interaction_id)), None)
        if found is None:
            raise NotFound("Interaction not found")
        guild = found.command.guild
        if guild is not None:
            self._find_channel(guild, found.command.user, found.command.channel_id)
        try:
            pressed = self.interactions.press(found, wanted.custom_id, wanted.values)
        except LookupError:
            detail = "No answer has an enabled component with this custom ID"
            raise Invalid(detail, code="no_component", errors=[_at("custom_id")]) from None
        await self.interactions.wait_until_settled(pressed, wanted.wait_s)
        return pressed.view()

    def list_interactions(self) -> list[Wire]:
        return [interaction.view() for interaction in self.interactions.recent]

    def list_messages(self, channel_id: str) -> list[Wire]:
        return [message.to_wire() for message in self.messages.list_newest(parse(channel_id) or 0)]

    def _view_guild(self, guild: Guild) -> Wire:
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner_id": str(guild.owner_id),
            "member_count": guild.member_count,
            "bot": self.front.application.id in guild.members,
            "unavailable": guild.unavailable,
            "channels": [{"id": str(channel.id), "name": channel.name} for channel in guild.channels.values()],
            "members": {str(user): str(guild.permissions_of(user)) for user in guild.members},
        }

    def _guild(self, guild_id: Id) -> Guild:
        found = self.front.world.guilds.get(parse(guild_id) or 0)
        if found is None:
            raise NotFound("Guild not found")
        return found

    def _user(self, user_id: Id) -> User:
        found = self.front.world.users.get(parse(user_id) or 0)
        if found is None:
            raise NotFound("User not found")
        return found


def _view_user(user: User) -> Wire:
    return user.model_dump(mode="json") | {"id": str(user.id)}


def _at(field: str) -> FieldError:
    return FieldError(("body", field), "Choose another")
