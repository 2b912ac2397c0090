"""`/notifications`, for staff."""

from typing import Final, get_args

import discord
import ezcord
from discord.utils import escape_markdown, format_dt

from bongsu.contracts.jobs import EmailRecipient
from bongsu.contracts.notifications import DiscordRecipient, NotificationOut, Recipient, Status, TopicRecipient
from bongsu.identity.scopes import Permission
from bongsu_bot.apis import authorise
from bongsu_bot.bot import BongsuBot
from bongsu_bot.language import text
from bongsu_bot.notifications import service
from bongsu_bot.options import parse_id, text_option
from bongsu_bot.pages.replies import Options, Page, Viewer, paged, reply

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
COLOURS: Final[dict[str, int]] = {"failed": 0xC0392B, "bounced": 0xC0392B, "sent": 0x2E7D4F, "delivered": 0x2E7D4F}
_SUBJECT_CHARS = 80
_TIMELINE = 10
_Source = discord.ApplicationContext
_Reader = discord.ApplicationContext | discord.Interaction


class NotificationsCog(ezcord.Cog, emoji="📨"):
    """Finds, retries and cancels the notifications of every user."""

    bot: BongsuBot
    notifications = discord.SlashCommandGroup("notifications", "Find, retry and cancel notifications (staff)")

    @notifications.command()
    @text_option("recipient", required=False, max_length=320)
    @text_option("status", required=False, max_length=16, choices=STATUSES)
    async def search(self, context: _Source, recipient: str | None, status: Status | None) -> None:
        """List notifications, newest first."""
        await context.defer(ephemeral=True)
        await reply(context, recipient=recipient, status=status)

    @notifications.command()
    @text_option("notification_id", min_length=36, max_length=36)
    async def show(self, context: _Source, notification_id: str) -> None:
        """Show a notification and its timeline."""
        await context.defer(ephemeral=True)
        wanted = parse_id(notification_id)
        found = await service.find(await authorise(context, Permission.NOTIFICATIONS_READ_ALL), wanted)
        embed = _embed(context, found)
        steps = [
            f"{format_dt(step.at, 'T')} {_status(context, step.status)}"
            + (f": {escape_markdown(step.detail)}" if step.detail else "")
            for step in found.timeline[-_TIMELINE:]
        ]
        embed.add_field(name=text(context, "notifications.timeline"), value="\n".join(steps)[:1024], inline=False)
        await context.respond(embed=embed, ephemeral=True)

    @notifications.command()
    @text_option("notification_id", min_length=36, max_length=36)
    async def retry(self, context: _Source, notification_id: str) -> None:
        """Send a failed or expired notification again."""
        await context.defer(ephemeral=True)
        wanted = parse_id(notification_id)
        user = await authorise(context, Permission.NOTIFICATIONS_OPERATE)
        # Discord may deliver an interaction to two sessions: the notification is retried once.
        retried = await service.retry(user, wanted, f"discord-{context.interaction.id}")
        await context.respond(text(context, "notifications.retried"), embed=_embed(context, retried), ephemeral=True)

    @notifications.command()
    @text_option("notification_id", min_length=36, max_length=36)
    async def cancel(self, context: _Source, notification_id: str) -> None:
        """Cancel a notification that is not sent yet."""
        await context.defer(ephemeral=True)
        wanted = parse_id(notification_id)
        cancelled = await service.cancel(await authorise(context, Permission.NOTIFICATIONS_OPERATE), wanted)
        reply = text(context, "notifications.cancelled")
        await context.respond(reply, embed=_embed(context, cancelled), ephemeral=True)


@paged("notifications search")
async def _load(viewer: Viewer, options: Options, after: str | None) -> Page:
    user = await viewer.authorise(Permission.NOTIFICATIONS_READ_ALL)
    page = await service.search(user, recipient=options["recipient"], status=options["status"], after=after)
    body = "\n\n".join(_summary(viewer.source, one) for one in page.items) or viewer.text("notifications.none")
    return Page(discord.Embed(title=viewer.text("notifications.title"), description=body), page.next)


def setup(bot: BongsuBot) -> None:
    bot.add_cog(NotificationsCog(bot))


def _status(context: _Reader, status: Status) -> str:
    return text(context, f"notifications.status_{status}")


def _summary(context: _Reader, one: NotificationOut) -> str:
    subject = escape_markdown((one.subject or one.template or "")[:_SUBJECT_CHARS])
    to = escape_markdown(_recipient(one.to))
    return f"**{_status(context, one.status)}** {to} {format_dt(one.created_at, 'R')}\n{subject}\n`{one.id}`"


def _embed(context: _Reader, one: NotificationOut) -> discord.Embed:
    colour = discord.Colour(COLOURS.get(one.status, 0xE2552D))
    embed = discord.Embed(title=_status(context, one.status), description=_summary(context, one), colour=colour)
    if one.error is not None:
        reason = escape_markdown(f"{one.error.code}: {one.error.detail or ''}")
        embed.add_field(name=text(context, "notifications.error"), value=reason[:1024], inline=False)
    return embed


def _recipient(to: Recipient) -> str:
    match to:
        case EmailRecipient():
            return to.email
        case DiscordRecipient():
            return to.channel_id
        case TopicRecipient():
            return f"topic:{to.topic}"
        case _:
            return str(to.user_id)
