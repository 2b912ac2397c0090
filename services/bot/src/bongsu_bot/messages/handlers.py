"""The RPC methods by which notify sends messages."""

from bongsu.contracts.rpc import (
    ChannelAuthority,
    ChannelAuthorityRequest,
    GuildAuthority,
    GuildAuthorityRequest,
    MessageSent,
    SendMessageRequest,
)
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.messages.service import Messages
from bongsu_bot.rpc.registry import Call, Registry


class MessageHandlers:
    """The RPC edge of `Messages`, and of the check of authority before a notification is accepted."""

    def __init__(self, authority: Authority, messages: Messages) -> None:
        self._authority = authority
        self._messages = messages

    def register(self, registry: Registry) -> None:
        registry.add(ChannelAuthorityRequest, self.check_channel)
        registry.add(GuildAuthorityRequest, self.check_guild)
        registry.add(SendMessageRequest, self.send)

    async def check_channel(self, request: ChannelAuthorityRequest, _call: Call) -> ChannelAuthority:
        channel, guild = await self._authority.require_for_channel(request.channel_id, request.user_id)
        return ChannelAuthority(
            channel_id=channel.id, channel_name=channel.name, guild_id=guild.id, guild_name=guild.name
        )

    async def check_guild(self, request: GuildAuthorityRequest, _call: Call) -> GuildAuthority:
        guild = await self._authority.require_for_guild(request.guild_id, request.user_id)
        return GuildAuthority(guild_id=guild.id, guild_name=guild.name)

    async def send(self, request: SendMessageRequest, _call: Call) -> MessageSent:
        return await self._messages.send(request)
