"""The application that the bot and the sign-in belong to, and its commands."""

from dataclasses import dataclass

from bongsu_sandbox.discord.errors import Wire
from bongsu_sandbox.discord.users.models import User

BOT_NAME = "봉수"


@dataclass(frozen=True)
class Application:
    """One application, whose bot has its id, as Discord gives them nowadays.

    :param redirect_uris: where an authorisation may lead; with none every address of this machine.
    """

    id: int
    client_secret: str
    bot_token: str
    redirect_uris: tuple[str, ...] = ()

    @property
    def bot(self) -> User:
        """The bot's user."""
        return User(id=self.id, username=BOT_NAME, bot=True, verified=True)

    def to_wire(self) -> Wire:
        """The application object."""
        return {
            "id": str(self.id),
            "name": BOT_NAME,
            "icon": None,
            "description": "",
            "type": None,
            "bot": self.bot.to_wire(),
            "summary": "",
            "bot_public": True,
            "bot_require_code_grant": True,
            "verify_key": "0" * 64,
            "flags": 0,
            "redirect_uris": list(self.redirect_uris),
            "interactions_endpoint_url": None,
            "tags": [],
            "team": None,
            "owner": self.bot.to_wire(),
        }
