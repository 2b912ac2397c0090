"""The bot's permissions in a guild, from the gateway's cache, which Discord's events keep current."""

import discord

from bongsu.contracts.rpc import BOT_PERMISSIONS, BotPermission, GuildChannel


def find_missing(granted: discord.Permissions) -> tuple[BotPermission, ...]:
    """Return the permissions that the bot needs and lacks."""
    return tuple(name for name in BOT_PERMISSIONS if not getattr(granted, name))


def list_channels(guild: discord.Guild) -> tuple[GuildChannel, ...]:
    """List the text channels in the order of Discord's own list: those without a category come first."""
    ordered = sorted(
        guild.text_channels,
        key=lambda one: (one.category.position if one.category is not None else -1, one.position, one.id),
    )
    return tuple(
        GuildChannel(
            id=channel.id,
            name=channel.name,
            category=channel.category.name if channel.category is not None else None,
            missing=find_missing(channel.permissions_for(guild.me)),
        )
        for channel in ordered
    )
