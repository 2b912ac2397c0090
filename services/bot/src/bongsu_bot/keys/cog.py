"""`/keys`, for every linked user: their own API keys; for managers also those of an account."""

import discord
import ezcord
from discord.utils import escape_markdown, format_dt

from bongsu.identity.scopes import Permission
from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.keys import service
from bongsu_bot.keys.service import Key
from bongsu_bot.language import text
from bongsu_bot.options import parse_id, text_option
from bongsu_bot.pages.replies import Options, Page, Viewer, paged, reply

_Source = discord.ApplicationContext
_Reader = discord.ApplicationContext | discord.Interaction
_MEMO_CHARS = 80


class KeysCog(ezcord.Cog, emoji="🔑"):
    """Lists and revokes API keys."""

    bot: BongsuBot
    keys = discord.SlashCommandGroup("keys", "List and revoke API keys")

    @keys.command()
    @text_option("account", required=False, max_length=320)
    async def list(self, context: _Source, account: str | None) -> None:
        """List your API keys, or those of an account, newest first."""
        await context.defer(ephemeral=True)
        await reply(context, account=account)

    @keys.command()
    @text_option("key", min_length=36, max_length=36)
    @text_option("account", required=False, max_length=320)
    async def revoke(self, context: _Source, key: str, account: str | None) -> None:
        """Revoke one of your API keys, or one of an account."""
        await context.defer(ephemeral=True)
        wanted = parse_id(key)
        await service.revoke(await authorise(context, _permission(account)), account, wanted)
        await context.respond(text(context, "keys.revoked"), ephemeral=True)


@paged("keys list")
async def _load(viewer: Viewer, options: Options, after: str | None) -> Page:
    account = options.get("account")
    page = await service.list_page(await viewer.authorise(_permission(account)), account, after)
    whose = "" if account is None else "_of_account"
    body = "\n\n".join(_summary(viewer.source, one) for one in page.items) or viewer.text(f"keys.none{whose}")
    return Page(discord.Embed(title=viewer.text(f"keys.title{whose}"), description=body), page.next)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(KeysCog(bot))


def _permission(account: str | None) -> Permission | None:
    return None if account is None else Permission.KEYS_REVOKE


def _summary(context: _Reader, key: Key) -> str:
    memo = escape_markdown((key.memo or "-")[:_MEMO_CHARS])
    status = text(context, f"keys.status_{key.status}") if key.status in {"active", "stopped"} else key.status
    mode = text(context, f"keys.mode_{key.mode}")
    return f"**{memo}** {status}, {mode}, {format_dt(key.created_at, 'R')}\n`{key.access_key}`\n`{key.id}`"
