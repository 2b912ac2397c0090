"""`/stats`, for staff."""

from typing import Final, Literal

import discord
import ezcord

from bongsu.contracts.notifications import Status
from bongsu.contracts.stats import Stats
from bongsu.identity.scopes import Permission
from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text
from bongsu_bot.options import text_option
from bongsu_bot.stats import service

PERIODS: Final = ("day", "week", "month")


class StatsCog(ezcord.Cog, emoji="📊"):
    """Counts the notifications of every user."""

    bot: BongsuBot

    @discord.slash_command()
    @text_option("period", required=False, max_length=8, choices=PERIODS)
    async def stats(
        self, context: discord.ApplicationContext, period: Literal["day", "week", "month"] | None = None
    ) -> None:
        """Show how many notifications have each status."""
        await context.defer(ephemeral=True)
        chosen = period or "day"
        user = await authorise(context, Permission.STATS_READ_ALL)
        found = await service.fetch(user, chosen)
        embed = discord.Embed(
            title=text(context, f"stats.title_{chosen}"),
            description=text(context, "stats.total", total=f"{sum(bucket.total for bucket in found.items):,}"),
        )
        for status, count in _sums(found).items():
            embed.add_field(name=text(context, f"notifications.status_{status}"), value=f"{count:,}")
        await context.respond(embed=embed, ephemeral=True)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(StatsCog(bot))


def _sums(found: Stats) -> dict[Status, int]:
    """Add the buckets up, the most frequent status first."""
    sums: dict[Status, int] = {}
    for bucket in found.items:
        for status, count in bucket.statuses.items():
            sums[status] = sums.get(status, 0) + count
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
