"""The dashboard's error kinds."""

from bongsu.runtime.errors import Forbidden, Invalid, NotFound, ServiceError, Unauthorised, Unavailable


class SignInNeeded(Unauthorised):
    """Nobody is signed in, or no longer: the edge sends the browser to where that is mended."""

    code = "sign_in_needed"

    def __init__(self) -> None:
        super().__init__("Sign in to see this page")


class RoleNeeded(Forbidden):
    """The page is for a higher role."""

    code = "role_needed"

    def __init__(self, role: str) -> None:
        super().__init__(f"This page is for the role {role}")


class CrossSite(Forbidden):
    """A form of another site, or one whose token is not this browser's."""

    code = "cross_site"

    def __init__(self) -> None:
        super().__init__("This form is out of date or came from another site; load the page again")


class ServiceDown(Unavailable):
    """Another service does not answer, or not with what was agreed."""

    code = "service_down"

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} does not answer; try again", retry_after_s=5)
        self.service = service


class GuildNotFound(NotFound):
    """There is no such guild among those that the caller manages."""

    code = "guild_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such server among those that you manage")


class DiscordNotLinked(ServiceError):
    """The account has no Discord identity, so it has no guilds. Not a failure: a page of its own.

    `again`: it had one, which Discord no longer honours.
    """

    code = "discord_not_linked"
    title = "Discord is not linked"

    def __init__(self, *, again: bool = False) -> None:
        super().__init__("Link your Discord account to see your servers")
        self.again = again


class BotSilent(Unavailable):
    """The bot does not answer; everything else works."""

    code = "bot_silent"

    def __init__(self) -> None:
        super().__init__("The bot does not answer; try again", retry_after_s=5)


class NameNotTyped(Invalid):
    """The typed confirmation is not the guild's name."""

    code = "name_not_typed"

    def __init__(self) -> None:
        super().__init__("Type the server's name as it is shown")
