"""Messages to channels of servers that the user manages."""

from bongsu.runtime.errors import Forbidden, Invalid
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import ChannelNotWritable, SentBefore
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.guild_messages.schemas import MessageForm
from bongsu_dashboard.guilds.service import GuildPage, Guilds
from bongsu_dashboard.notifications.notification import Notification
from bongsu_dashboard.notifications.port import NotifyClient


class GuildMessages:
    """Sends notifications to the channels in which the bot may write."""

    def __init__(self, guilds: Guilds, notify: NotifyClient) -> None:
        self._guilds = guilds
        self._notify = notify

    async def load_page(self, browser: Browser, guild_id: int) -> GuildPage:
        """Load a server.

        :raises GuildNotFound: the user does not manage it.
        """
        return await self._guilds.load_page(browser, guild_id, pending=frozenset())

    async def send(self, browser: Browser, guild_id: int, form: MessageForm) -> Notification:
        """Send a message, once for each `attempt` of the form.

        :raises GuildNotFound: the user does not manage the server now.
        :raises FormError: the bot may not write in the channel, or notify refuses the message.
        """
        page = await self._guilds.load_page(browser, guild_id, pending=frozenset(), fresh=True)
        if form.channel not in {str(channel.id) for channel in page.writable}:
            raise ChannelNotWritable
        try:
            to = {"channel_id": form.channel}
            return await self._notify.send_message(browser, to=to, text=form.text, key=form.attempt)
        except Forbidden as error:
            raise ChannelNotWritable from error
        except Invalid as error:
            raise (SentBefore() if error.code == "idempotency_mismatch" else FieldsRefused(error)) from error
