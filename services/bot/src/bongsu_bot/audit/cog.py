"""`/audit`, for managers."""

import discord
import ezcord
from discord.utils import escape_markdown, format_dt

from bongsu.identity.scopes import Permission
from bongsu_bot.audit import service
from bongsu_bot.audit.service import Entry
from bongsu_bot.bot import BongsuBot
from bongsu_bot.pages.replies import Options, Page, Viewer, paged, reply


class AuditCog(ezcord.Cog, emoji="📜"):
    """Shows the audit log of every user."""

    bot: BongsuBot

    @discord.slash_command()
    async def audit(self, context: discord.ApplicationContext) -> None:
        """Show the audit log, newest first."""
        await context.defer(ephemeral=True)
        await reply(context)


@paged("audit")
async def _load(viewer: Viewer, _options: Options, after: str | None) -> Page:
    page = await service.list_page(await viewer.authorise(Permission.AUDIT_READ_ALL), after)
    body = "\n".join(_line(one) for one in page.items) or viewer.text("audit.none")
    return Page(discord.Embed(title=viewer.text("audit.title"), description=body), page.next)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(AuditCog(bot))


def _line(one: Entry) -> str:
    target = f" {escape_markdown(one.target)}" if one.target else ""
    return f"{format_dt(one.at, 'R')} **{escape_markdown(one.action)}**{target}\n`{one.actor_id or '-'}`"
