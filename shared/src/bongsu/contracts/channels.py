"""The request to the bot for the channels of a guild."""

from typing import Literal

from bongsu.contracts.guilds import Snowflake
from bongsu.contracts.rpc import GuildChannel, GuildRequest, RpcAnswer


class ChannelList(RpcAnswer):
    """The text channels of a guild in Discord's order, and the permissions that the bot lacks in each."""

    guild_id: Snowflake
    channels: tuple[GuildChannel, ...] = ()


class ChannelListRequest(GuildRequest[ChannelList]):
    """List the text channels of a guild, without the rest of `guild_detail`."""

    method: Literal["channel_list"] = "channel_list"
