"""The application that the bot and the sign-in belong to, and its commands."""

from dataclasses import dataclass

from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire

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
        return User(id=self.id, username=BOT_NAME, bot=True, verified=True)

    def to_wire(self) -> Wire:
        return {
            **FIXED_FIELDS["application"],
            "id": str(self.id),
            "name": BOT_NAME,
            "bot": self.bot.to_wire(),
            "redirect_uris": list(self.redirect_uris),
            "owner": self.bot.to_wire(),
        }
