"""`/ping`: whether the bot is there, and how far away Discord is."""

import math

import discord
from discord.ext import commands

from bongsu_bot.wording import KOREAN, say


class PingCog(commands.Cog):
    """Answers."""

    @commands.slash_command(
        name="ping",
        description="Check that I am there",
        name_localizations={KOREAN: "핑"},
        description_localizations={KOREAN: "봇이 살아 있는지 확인합니다"},
    )
    async def ping(self, context: discord.ApplicationContext) -> None:
        """Answers privately with the round trip to the gateway, once one was measured."""
        await context.defer(ephemeral=True)
        latency_s = context.bot.latency
        if math.isfinite(latency_s):
            text = say(context.locale, "ping", latency_ms=round(latency_s * 1000))
        else:
            text = say(context.locale, "ping_unmeasured")
        await context.respond(text, ephemeral=True)
