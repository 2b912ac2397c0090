"""The signed-in user's account."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bongsu.runtime.background import together
from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorised
from bongsu_dashboard.accounts.port import AuthClient
from bongsu_dashboard.accounts.schemas import ProfileForm
from bongsu_dashboard.accounts.user import Event, EventPage, Identity, Locale, Session, User
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.errors import ConfirmationRequired
from bongsu_dashboard.forms import FieldsRefused

RECENT_EVENTS: Final = 5
EVENTS_PER_PAGE: Final = 25
_LINK_ERRORS: Final = frozenset({"linked_elsewhere", "another_linked"})


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """What the account page shows: `linkable` are the configured providers that are not linked yet."""

    sessions: list[Session]
    identities: list[Identity]
    linkable: list[str]
    events: list[Event]


class Accounts:
    """Reads and changes the signed-in user's account at auth."""

    def __init__(self, auth: AuthClient) -> None:
        self._auth = auth

    async def find_user(self, browser: Browser) -> User | None:
        """Return the signed-in user. A blocked account counts as signed out: its tokens open nothing."""
        if browser.access_token is None:
            return None
        try:
            return await self._auth.me(browser)
        except (Unauthorised, Forbidden):
            return None

    async def load_overview(self, browser: Browser) -> AccountOverview:
        """Load sessions, linked accounts, the providers that can be linked, and recent events."""
        sessions, identities, providers, events = await together(
            self._auth.sessions(browser),
            self._auth.identities(browser),
            self._auth.providers(),
            self._auth.events(browser, limit=RECENT_EVENTS, after=None),
        )
        linked = {identity.provider for identity in identities}
        return AccountOverview(sessions, identities, [name for name in providers if name not in linked], events.items)

    async def list_events(self, browser: Browser, after: UUID | None) -> EventPage:
        return await self._auth.events(browser, limit=EVENTS_PER_PAGE, after=after)

    async def list_identities(self, browser: Browser) -> list[Identity]:
        return await self._auth.identities(browser)

    async def update_profile(self, browser: Browser, form: ProfileForm) -> None:
        """Save the profile.

        :raises FieldsRefused: auth refused a field.
        """
        try:
            await self._auth.update(browser, {"name": form.name or None, "locale": form.locale})
        except Invalid as error:
            raise FieldsRefused(error) from error

    async def update_locale(self, browser: Browser, locale: Locale) -> None:
        await self._auth.update(browser, {"locale": locale})

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        """End one session.

        :raises NotFound: the session has ended already.
        """
        await self._auth.end_session(browser, session_id)

    async def end_other_sessions(self, browser: Browser) -> None:
        await self._auth.end_other_sessions(browser)

    async def start_linking(self, browser: Browser, provider: str, next_path: str) -> Redirect:
        """Return the provider's authorization page.

        :raises ConfirmationRequired: the last authentication is too old.
        """
        try:
            return await self._auth.link(browser, provider, next_path)
        except Forbidden as error:
            raise ConfirmationRequired from error

    async def unlink(self, browser: Browser, provider: str) -> str:
        """Unlink an account at a provider. Returns the message for the user.

        :raises ConfirmationRequired: the last authentication is too old.
        """
        try:
            await self._auth.unlink(browser, provider)
        except NotFound:
            return "note.not_linked_any_more"
        except Conflict:
            return "bad.last_sign_in_method"
        except Forbidden as error:
            raise ConfirmationRequired from error
        return "ok.unlinked"


def flash_of_linking(error: str | None) -> str:
    """The message for a browser that comes back from linking, by the code that auth put into the address."""
    if error is None:
        return "ok.linked"
    return f"bad.{error}" if error in _LINK_ERRORS else "bad.not_linked"
