"""The port to auth: accounts, sessions and linked identities."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from bongsu_dashboard.accounts.user import EventPage, Identity, Session, User
from bongsu_dashboard.browser import Browser, Redirect, SetCookie

Cookies = tuple[SetCookie, ...]


@dataclass(frozen=True, slots=True)
class SignInReply:
    """Auth's response to a right password. `asks_code` is whether the sign-in continues with the second factor."""

    cookies: Cookies
    asks_code: bool = False


class AuthClient(Protocol):
    """Auth's API for accounts and sessions. Every method raises ServiceDown while auth does not answer."""

    async def me(self, browser: Browser) -> User:
        """Return the signed-in user.

        :raises Unauthorised: the access token is missing, expired or revoked.
        """

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        """Change `name` or `locale`; a name of None removes it.

        :raises Invalid: `errors` names the fields.
        """

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        """Sign up. The answer is the same whether or not the address has an account.

        :raises Invalid: `errors` names the fields.
        """

    async def resend(self, browser: Browser, email: str) -> None:
        """Send the verification mail of a pending sign-up again."""

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        """Verify an address with the token of a mail.

        :raises ServiceError: code `password_required` (another browser than the one that signed up) or
            `verification_refused` (used or unknown token, or wrong password).
        """

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> SignInReply:
        """Sign in with a password.

        :raises Unauthorised: the address or the password is wrong.
        :raises TooMany: too many attempts; `retry_after_s` is the delay.
        """

    async def sign_out(self, browser: Browser) -> Cookies:
        """End this browser's session.

        :raises Unauthorised: the session has ended already.
        """

    async def sessions(self, browser: Browser) -> list[Session]:
        """List the user's sessions, newest first."""

    async def events(self, browser: Browser, *, limit: int, after: UUID | None) -> EventPage:
        """List what happened to the user's account."""

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        """End one session of the user.

        :raises NotFound: unknown session, or another user's.
        """

    async def end_other_sessions(self, browser: Browser) -> None:
        """End every session of the user but this one."""

    async def identities(self, browser: Browser) -> list[Identity]:
        """List the linked accounts at providers."""

    async def link(self, browser: Browser, provider: str, next_path: str) -> Redirect:
        """Start linking an account at a provider.

        :raises Forbidden: code `reauthentication_required`: the last authentication is too old.
        """

    async def unlink(self, browser: Browser, provider: str) -> None:
        """Unlink an account at a provider.

        :raises NotFound: no account of this provider is linked.
        :raises Conflict: the user could not sign in without it.
        :raises Forbidden: code `reauthentication_required`: the last authentication is too old.
        """

    async def providers(self) -> tuple[str, ...]:
        """List the configured OAuth providers, such as `discord`."""
