"""`/ping`."""

import math

import discord
import ezcord

from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text


class PingCog(ezcord.Cog, emoji="📡"):
    """Shows that the bot is online."""

    @discord.slash_command()
    async def ping(self, context: discord.ApplicationContext) -> None:
        """Reply with the round-trip time to the gateway, once it has been measured."""
        await context.defer(ephemeral=True)
        latency_s = self.bot.latency
        if math.isfinite(latency_s):
            reply = text(context, "ping.online", latency_ms=round(latency_s * 1000))
        else:
            reply = text(context, "ping.online_unmeasured")
        await context.respond(reply, ephemeral=True)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(PingCog(bot))
