"""What the dashboard needs of auth about accounts and sessions."""

from typing import Protocol
from uuid import UUID

from bongsu_dashboard.accounts.user import Identity, Session, User
from bongsu_dashboard.browser import Browser, Departure, SetCookie

Cookies = tuple[SetCookie, ...]


class Accounts(Protocol):
    """Accounts and sessions. Each method raises ServiceDown where auth does not answer."""

    async def me(self, browser: Browser) -> User:
        """Whoever is signed in.

        :raises Unauthorised: nobody is, or no longer.
        """

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        """Change `name` or `locale`; a name of None takes it away.

        :raises Invalid: `errors` names the fields.
        """

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        """Sign up: a mail goes to the address, whatever is known of it.

        :raises Invalid: `errors` names the fields.
        """

    async def resend(self, browser: Browser, email: str) -> None:
        """Send the mail of a sign-up again, if one waits."""

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        """Prove an address by the token of a mail.

        :raises ServiceError: code `password_required` (another browser than the one that signed up) or
            `verification_refused` (the link is of no use, or the password is wrong).
        """

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> Cookies:
        """Sign in with a password.

        :raises Unauthorised: the address or the password is wrong.
        :raises TooMany: too many attempts; `retry_after_s` says how long to wait.
        """

    async def sign_out(self, browser: Browser) -> Cookies:
        """End this browser's session.

        :raises Unauthorised: there is none.
        """

    async def sessions(self, browser: Browser) -> list[Session]:
        """Where the user is signed in, newest first."""

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        """Sign out somewhere else.

        :raises NotFound: there is no such session, or it is another's.
        """

    async def end_other_sessions(self, browser: Browser) -> None:
        """Sign out everywhere but here."""

    async def identities(self, browser: Browser) -> list[Identity]:
        """The accounts at providers by which the user can sign in."""

    async def link(self, browser: Browser, provider: str, next_path: str) -> Departure:
        """Where the browser has to go to link an account at a provider.

        :raises Forbidden: code `reauthentication_required`: the sign-in is too long ago.
        """

    async def reauthenticate(self, browser: Browser, password: str) -> None:
        """Prove once more who is signed in.

        :raises Forbidden: the password is wrong.
        :raises Conflict: the account has none.
        """

    async def providers(self) -> tuple[str, ...]:
        """The OAuth providers that are configured, such as `discord`; none where that cannot be told now."""
