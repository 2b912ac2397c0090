"""`/users`, for managers."""

import discord
import ezcord
from discord.utils import escape_markdown

from bongsu.identity.scopes import Permission
from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text
from bongsu_bot.options import text_option
from bongsu_bot.pages.replies import Options, Page, Viewer, paged, reply
from bongsu_bot.users import service
from bongsu_bot.users.service import Account, Status

_Source = discord.ApplicationContext
_Reader = discord.ApplicationContext | discord.Interaction


class UsersCog(ezcord.Cog, emoji="👤"):
    """Finds, blocks and unblocks accounts."""

    bot: BongsuBot
    users = discord.SlashCommandGroup("users", "Find, block and unblock accounts (managers)")

    @users.command()
    @text_option("address", required=False, max_length=320)
    async def find(self, context: _Source, address: str | None) -> None:
        """List accounts, newest first."""
        await context.defer(ephemeral=True)
        await reply(context, address=address)

    @users.command()
    @text_option("account", max_length=320)
    async def block(self, context: _Source, account: str) -> None:
        """Block an account: it is signed out everywhere."""
        await self._set_status(context, account, "blocked")

    @users.command()
    @text_option("account", max_length=320)
    async def unblock(self, context: _Source, account: str) -> None:
        """Unblock an account."""
        await self._set_status(context, account, "active")

    async def _set_status(self, context: _Source, account: str, status: Status) -> None:
        await context.defer(ephemeral=True)
        user = await authorise(context, Permission.USERS_BLOCK)
        changed = await service.set_status(user, account, status)
        reply = text(context, f"users.is_{changed.status}")
        await context.respond(reply, embed=discord.Embed(description=_summary(context, changed)), ephemeral=True)


@paged("users find")
async def _load(viewer: Viewer, options: Options, after: str | None) -> Page:
    user = await viewer.authorise(Permission.USERS_READ)
    page = await service.search(user, address=options["address"], after=after)
    body = "\n\n".join(_summary(viewer.source, one) for one in page.items) or viewer.text("users.none")
    return Page(discord.Embed(title=viewer.text("users.title"), description=body), page.next)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(UsersCog(bot))


def _summary(context: _Reader, account: Account) -> str:
    status = text(context, f"users.status_{account.status}")
    role = text(context, f"link.role_{account.role}")
    who = escape_markdown(" ".join(part for part in (account.name, account.email) if part))
    return f"**{who or '-'}**\n{status}, {role}\n`{account.id}`"
