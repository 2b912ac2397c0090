"""Guilds, and what a member may do in them."""

from datetime import datetime

from pydantic import BaseModel

from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EVERYONE = (1 << 10) | SEND_MESSAGES | (1 << 14) | (1 << 15) | (1 << 16) | (1 << 31)
"""View channels, send messages, embed links, attach files, read history, use commands."""
ALL = (1 << 52) - 1
DIRECT = (1 << 14) | (1 << 15) | (1 << 17) | (1 << 18)
"""What the bot may do in direct messages: embed links, attach files, mention everyone, use external emojis."""
TEXT_CHANNEL = 0
DIRECT_CHANNEL = 1
_DIRECT_BIT = 1 << 62


class Role(BaseModel):
    """A role; the one with its guild's id is @everyone."""

    id: int
    name: str
    permissions: int
    position: int = 0
    bot_id: int | None = None

    def to_wire(self) -> Wire:
        wire: Wire = {
            **FIXED_FIELDS["role"],
            "id": str(self.id),
            "name": self.name,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": self.bot_id is not None,
        }
        if self.bot_id is not None:
            wire["tags"] = {"bot_id": str(self.bot_id)}
        return wire


class Channel(BaseModel):
    id: int
    guild_id: int
    name: str
    position: int = 0

    def to_wire(self) -> Wire:
        return {
            **FIXED_FIELDS["channel"],
            "id": str(self.id),
            "type": TEXT_CHANNEL,
            "guild_id": str(self.guild_id),
            "name": self.name,
            "position": self.position,
        }


def direct_channel_id(user_id: int) -> int:
    """The ID of the direct messages between the bot and a user."""
    return user_id | _DIRECT_BIT


def direct_recipient_id(channel_id: int) -> int | None:
    """The user of a channel of direct messages; None for another channel."""
    return channel_id ^ _DIRECT_BIT if channel_id & _DIRECT_BIT else None


def direct_channel_to_wire(user: User) -> Wire:
    """The channel of the direct messages between the bot and a user."""
    return {
        "id": str(direct_channel_id(user.id)),
        "type": DIRECT_CHANNEL,
        "last_message_id": None,
        "flags": 0,
        "recipients": [user.to_wire()],
    }


class Member(BaseModel):
    """A user in a guild, with their roles besides @everyone."""

    user_id: int
    roles: list[int] = []
    joined_at: datetime

    def to_wire(self, user: User) -> Wire:
        return {
            **FIXED_FIELDS["member"],
            "user": user.to_wire(),
            "roles": [str(role) for role in self.roles],
            "joined_at": self.joined_at.isoformat(),
        }


class Guild(BaseModel):
    """A guild. `unavailable` is an outage at Discord: its members are still in it."""

    id: int
    name: str
    owner_id: int
    icon: str | None = None
    preferred_locale: str = "en-US"
    unavailable: bool = False
    others: int = 0
    """The number of members without an entry in `members`."""
    roles: dict[int, Role]
    channels: dict[int, Channel]
    members: dict[int, Member]

    @property
    def member_count(self) -> int:
        return len(self.members) + self.others

    def permissions_of(self, user_id: int) -> int:
        """The permissions of a user in the guild; 0 for a user who is not a member."""
        member = self.members.get(user_id)
        if member is None:
            return 0
        if user_id == self.owner_id:
            return ALL
        permissions = self.roles[self.id].permissions
        for role in member.roles:
            permissions |= self.roles[role].permissions if role in self.roles else 0
        return ALL if permissions & ADMINISTRATOR else permissions

    def to_wire(self) -> Wire:
        return {
            **FIXED_FIELDS["guild"],
            "id": str(self.id),
            "name": self.name,
            "icon": self.icon,
            "owner_id": str(self.owner_id),
            "system_channel_id": next((str(channel) for channel in self.channels), None),
            "preferred_locale": self.preferred_locale,
            "roles": [role.to_wire() for role in self.roles.values()],
        }

    def to_summary(self, user_id: int) -> Wire:
        """The partial guild object of a user's own list of guilds."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": self.icon,
            "banner": None,
            "owner": user_id == self.owner_id,
            "permissions": str(self.permissions_of(user_id)),
            "features": [],
        }

    def to_event(self, bot: User, *, newly_joined: bool) -> Wire:
        """The data of GUILD_CREATE. Its only member is the bot, which lacks the intent for the others."""
        member = self.members[bot.id]
        event = self.to_wire() | {
            **FIXED_FIELDS["guild_create"],
            "joined_at": member.joined_at.isoformat(),
            "member_count": self.member_count,
            "members": [member.to_wire(bot)],
            "channels": [channel.to_wire() for channel in self.channels.values()],
        }
        return event if newly_joined else event | {"unavailable": False}
