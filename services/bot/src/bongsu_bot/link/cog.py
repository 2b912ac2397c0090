"""`/link`."""

import discord
import ezcord

from bongsu.runtime.errors import Conflict
from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text
from bongsu_bot.links import Links


class LinkCog(ezcord.Cog, emoji="🔗"):
    """Links a Discord account to an account of Bongsu."""

    bot: BongsuBot

    @discord.slash_command()
    async def link(self, context: discord.ApplicationContext) -> None:
        """Reply with the page on which accounts are linked, and whether this one is."""
        await context.defer(ephemeral=True)
        url = self.bot.find(Links).account
        try:
            user = await authorise(context)
        except Conflict:
            await context.respond(text(context, "link.how", url=url), ephemeral=True)
        else:
            role = text(context, f"link.role_{user.role}")
            await context.respond(text(context, "link.linked", role=role, url=url), ephemeral=True)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(LinkCog(bot))
