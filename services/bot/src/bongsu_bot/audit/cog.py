"""`/audit`, for managers."""

import discord
import ezcord
from discord.utils import escape_markdown, format_dt

from bongsu.identity.scopes import Permission
from bongsu_bot.apis import authorise
from bongsu_bot.audit import service
from bongsu_bot.audit.service import Entry
from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text
from bongsu_bot.paging import Page, PagedReply


class AuditCog(ezcord.Cog, emoji="📜"):
    """Shows the audit log of every user."""

    bot: BongsuBot

    @discord.slash_command()
    async def audit(self, context: discord.ApplicationContext) -> None:
        """Show the audit log, newest first."""
        await context.defer(ephemeral=True)

        async def load(after: str | None) -> Page:
            page = await service.list_page(await authorise(context, Permission.AUDIT_READ_ALL), after)
            body = "\n".join(_line(one) for one in page.items) or text(context, "audit.none")
            return Page(discord.Embed(title=text(context, "audit.title"), description=body), page.next)

        await PagedReply(context, load).send(context)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(AuditCog(bot))


def _line(one: Entry) -> str:
    target = f" {escape_markdown(one.target)}" if one.target else ""
    return f"{format_dt(one.at, 'R')} **{escape_markdown(one.action)}**{target}\n`{one.actor_id or '-'}`"
