"""The port to auth: credentials."""

from datetime import datetime
from typing import Protocol

from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received


class NewToken(Received):
    """An access token for the session, with the time of the authentication. `expires_in` is in seconds."""

    access_token: str
    expires_in: int


class SecondFactor(Received):
    """Whether sign-in takes a code as well."""

    enabled: bool
    enabled_at: datetime | None
    recovery_codes_left: int


class AppSecret(Received):
    """A secret for an authenticator app, in base32 and as the URI of a QR code."""

    secret: str
    otpauth_uri: str


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

    async def reauthenticate(self, browser: Browser, password: str | None, code: str | None) -> NewToken:
        """Confirm the signed-in user's password and second factor, as far as the account has them.

        :raises Forbidden: code `password_refused` or `mfa_code_refused`.
        :raises Conflict: the account has neither.
        :raises TooMany: too many guesses.
        """

    async def delete_account(self, browser: Browser) -> None:
        """Delete the signed-in user's account and data.

        :raises Conflict: code `last_administrator`.
        """

    async def verify_code(self, browser: Browser, code: str) -> Cookies:
        """Complete a sign-in with the second factor.

        :raises Unauthorised: the sign-in has ended.
        :raises Forbidden: the code is wrong.
        :raises TooMany: too many guesses.
        """

    async def show_second_factor(self, browser: Browser) -> SecondFactor:
        """Return the state of the signed-in user's second factor."""

    async def start_second_factor(self, browser: Browser) -> AppSecret:
        """Create a secret for an authenticator app.

        :raises Conflict: the second factor is on already.
        """

    async def enable_second_factor(self, browser: Browser, code: str) -> list[str]:
        """Turn the second factor on with the app's first code. Returns recovery codes.

        :raises Forbidden: code `mfa_code_refused`.
        :raises Conflict: it is on already, or there is no secret.
        """

    async def replace_recovery_codes(self, browser: Browser) -> list[str]:
        """Create new recovery codes in place of the earlier ones.

        :raises Conflict: the second factor is not on.
        """

    async def disable_second_factor(self, browser: Browser) -> None:
        """Turn the second factor off.

        :raises Conflict: it is not on.
        """
