"""The port to auth: credentials."""

from typing import Protocol

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received


class NewToken(Received):
    """An access token for the session, with the time of the authentication. `expires_in` is in seconds."""

    access_token: str
    expires_in: int


class CredentialClient(Protocol):
    """Auth's API for credentials. Every method raises ServiceDown while auth does not answer.

    Methods that change a credential of a signed-in user raise Forbidden with the code `reauthentication_required` where
    the last authentication is too old.
    """

    async def forget_password(self, browser: Browser, email: str) -> None:
        """Request a link that resets a password. The answer is the same whether or not the address has an account.

        :raises TooMany: too many requests; `retry_after_s` is the delay.
        """

    async def reset_password(self, browser: Browser, token: str, password: str) -> None:
        """Set a password with the token of a mail.

        :raises Invalid: code `link_refused`, or `errors` names the password.
        """

    async def change_password(self, browser: Browser, current: str | None, new: str) -> None:
        """Change the signed-in user's password, or set the first one.

        :raises Forbidden: code `password_refused`: the current password is wrong.
        :raises Invalid: `errors` names the fields.
        :raises TooMany: too many wrong passwords.
        """

    async def change_email(self, browser: Browser, email: str) -> None:
        """Request a change of the signed-in user's address, which a mail to the new one confirms.

        :raises Invalid: `errors` names the address.
        :raises TooMany: too many requests.
        """

    async def confirm_email(self, browser: Browser, token: str) -> None:
        """Confirm a new address with the token of a mail.

        :raises Invalid: code `link_refused`.
        """

    async def reauthenticate(self, browser: Browser, password: str) -> NewToken:
        """Confirm the signed-in user's password.

        :raises Forbidden: the password is wrong.
        :raises Conflict: the account has no password.
        :raises TooMany: too many wrong passwords.
        """
