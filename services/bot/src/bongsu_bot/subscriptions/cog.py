"""`/notify`, for the managers of a server."""

import discord
import ezcord
from discord.utils import escape_markdown

from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.errors import GuildOnly
from bongsu_bot.language import text
from bongsu_bot.options import parse_id, text_option
from bongsu_bot.pages.replies import Options, Page, Viewer, paged, reply
from bongsu_bot.subscriptions import service
from bongsu_bot.subscriptions.service import Place, Subscription

_Source = discord.ApplicationContext


class SubscriptionsCog(ezcord.Cog, emoji="🔔"):
    """Subscribes the channel of the command to topics."""

    bot: BongsuBot
    notify = discord.SlashCommandGroup(
        "notify", "Subscribe this channel to notifications", contexts={discord.InteractionContextType.guild}
    )

    @notify.command()
    @text_option("topic", max_length=64)
    @text_option("owner", required=False, min_length=36, max_length=36)
    async def subscribe(self, context: _Source, topic: str, owner: str | None) -> None:
        """Subscribe this channel to a topic."""
        await context.defer(ephemeral=True)
        place = _place(context)
        made = await service.subscribe(await authorise(context), place, topic, parse_id(owner) if owner else None)
        reply = text(context, "subscriptions.subscribed", topic=escape_markdown(made.topic))
        await context.respond(reply, ephemeral=True)

    @notify.command()
    @text_option("topic", max_length=64)
    async def unsubscribe(self, context: _Source, topic: str) -> None:
        """Remove this channel's subscriptions to a topic."""
        await context.defer(ephemeral=True)
        place = _place(context)
        await service.unsubscribe(await authorise(context), place, topic)
        reply = text(context, "subscriptions.unsubscribed", topic=escape_markdown(topic))
        await context.respond(reply, ephemeral=True)

    @notify.command()
    async def list(self, context: _Source) -> None:
        """List the subscriptions of this server."""
        await context.defer(ephemeral=True)
        guild_id = _place(context).guild_id
        await reply(context, guild_id=str(guild_id))


@paged("notify list")
async def _load(viewer: Viewer, options: Options, after: str | None) -> Page:
    page = await service.list_page(await viewer.authorise(), int(options["guild_id"] or 0), after=after)
    body = "\n".join(_line(one) for one in page.items) or viewer.text("subscriptions.none")
    return Page(discord.Embed(title=viewer.text("subscriptions.title"), description=body), page.next)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(SubscriptionsCog(bot))


def _place(context: _Source) -> Place:
    if context.guild_id is None or context.channel_id is None:
        raise GuildOnly
    return Place(context.guild_id, context.channel_id)


def _line(one: Subscription) -> str:
    return f"<#{one.channel_id}> **{escape_markdown(one.topic)}** `{one.owner}`"
