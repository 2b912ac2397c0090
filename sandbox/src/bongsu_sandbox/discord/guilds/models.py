"""Guilds, and what a member may do in them."""

from datetime import datetime

from pydantic import BaseModel

from bongsu_sandbox.discord.errors import Wire
from bongsu_sandbox.discord.users.models import User

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
SEND_MESSAGES = 1 << 11
EVERYONE = (1 << 10) | SEND_MESSAGES | (1 << 14) | (1 << 15) | (1 << 16) | (1 << 31)
"""View channels, send messages, embed links, attach files, read history, use commands."""
ALL = (1 << 52) - 1
TEXT_CHANNEL = 0


class Role(BaseModel):
    """A role; the one with its guild's id is @everyone."""

    id: int
    name: str
    permissions: int
    position: int = 0
    bot_id: int | None = None

    def to_wire(self) -> Wire:
        """The role object."""
        wire: Wire = {
            "id": str(self.id),
            "name": self.name,
            "description": None,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": self.bot_id is not None,
            "mentionable": False,
            "flags": 0,
        }
        if self.bot_id is not None:
            wire["tags"] = {"bot_id": str(self.bot_id)}
        return wire


class Channel(BaseModel):
    """A text channel."""

    id: int
    guild_id: int
    name: str
    position: int = 0

    def to_wire(self) -> Wire:
        """The channel object."""
        return {
            "id": str(self.id),
            "type": TEXT_CHANNEL,
            "guild_id": str(self.guild_id),
            "name": self.name,
            "position": self.position,
            "parent_id": None,
            "permission_overwrites": [],
            "topic": None,
            "nsfw": False,
            "last_message_id": None,
            "rate_limit_per_user": 0,
            "flags": 0,
        }


class Member(BaseModel):
    """A user in a guild, with their roles besides @everyone."""

    user_id: int
    roles: list[int] = []
    joined_at: datetime

    def to_wire(self, user: User) -> Wire:
        """The member object."""
        return {
            "user": user.to_wire(),
            "nick": None,
            "avatar": None,
            "banner": None,
            "roles": [str(role) for role in self.roles],
            "joined_at": self.joined_at.isoformat(),
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
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
        """The number of members."""
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
        """The guild object of REST."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": self.icon,
            "description": None,
            "home_header": None,
            "splash": None,
            "discovery_splash": None,
            "features": [],
            "banner": None,
            "owner_id": str(self.owner_id),
            "application_id": None,
            "region": "deprecated",
            "afk_channel_id": None,
            "afk_timeout": 300,
            "system_channel_id": next((str(channel) for channel in self.channels), None),
            "system_channel_flags": 0,
            "widget_enabled": False,
            "widget_channel_id": None,
            "verification_level": 1,
            "default_message_notifications": 1,
            "mfa_level": 0,
            "explicit_content_filter": 0,
            "max_presences": None,
            "max_members": 500_000,
            "max_video_channel_users": 25,
            "vanity_url_code": None,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "premium_progress_bar_enabled": False,
            "preferred_locale": self.preferred_locale,
            "rules_channel_id": None,
            "safety_alerts_channel_id": None,
            "public_updates_channel_id": None,
            "nsfw": False,
            "nsfw_level": 0,
            "emojis": [],
            "stickers": [],
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

    def to_event(self, bot: User, *, lately_joined: bool) -> Wire:
        """The data of GUILD_CREATE. Its only member is the bot, which lacks the intent for the others."""
        member = self.members[bot.id]
        event = self.to_wire() | {
            "joined_at": member.joined_at.isoformat(),
            "large": False,
            "member_count": self.member_count,
            "voice_states": [],
            "members": [member.to_wire(bot)],
            "channels": [channel.to_wire() for channel in self.channels.values()],
            "threads": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
        return event if lately_joined else event | {"unavailable": False}
