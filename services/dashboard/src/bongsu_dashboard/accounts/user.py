"""An account as auth describes it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bongsu.contracts.audit import AuditAction
from bongsu.identity.scopes import Role
from bongsu_dashboard.upstream import Received

Locale = Literal["ko", "en"]

_BROWSERS = (
    ("Edg/", "Edge"),
    ("Whale/", "Whale"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class User(Received):
    """The signed-in user."""

    id: UUID
    email: str | None
    email_verified: bool
    name: str | None
    locale: str
    role: Role
    sending: str
    has_password: bool = True
    mfa_enabled: bool = False
    created_at: datetime
    nickname: str | None = None
    phone_number: str | None = None
    gender: str | None = None
    birth_year: int | None = None
    birthday: str | None = None
    age_range: str | None = None

    @property
    def born(self) -> str | None:
        """The date of birth, or the part of it that is known: `1994-05-03`, `1994` or `05-03`."""
        return "-".join(filter(None, (str(self.birth_year or ""), self.birthday))) or None

    @property
    def display_name(self) -> str:
        """The name, or the first part of the address."""
        return self.name or (self.email or "").partition("@")[0] or "?"


class Session(Received):
    """One sign-in."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    user_agent: str | None
    address: str | None
    current: bool

    @property
    def device(self) -> str:
        """Browser and system, as far as the user agent names them."""
        agent = self.user_agent or ""
        browser = next((name for mark, name in _BROWSERS if mark in agent), None)
        system = next((name for mark, name in _SYSTEMS if mark in agent), None)
        return " · ".join(part for part in (browser, system) if part) or agent.split(" ")[0][:40]


class Identity(Received):
    """An account at a provider by which the user can sign in."""

    provider: str
    display_name: str | None = None
    relink_needed: bool = False


class Event(Received):
    """An entry of the audit log that concerns the user's account."""

    id: UUID
    at: datetime
    action: str
    address: str | None
    details: dict[str, str | int] | None = None

    @property
    def is_alarming(self) -> bool:
        """Whether it is a failed attempt, or the reuse of a token."""
        return self.action in ALARMING

    @property
    def facts(self) -> list[str]:
        """What the event is about: a block of addresses, a command, a topic or a module."""
        details = self.details or {}
        return [str(details[name]) for name in ("cidr", "command", "topic", "module") if name in details]

    @property
    def provider(self) -> str | None:
        """The provider of a sign-in."""
        return str(self.details["provider"]) if self.details is not None and "provider" in self.details else None


ALARMING: frozenset[AuditAction] = frozenset(
    {
        "session.sign_in_failed",
        "session.reauthentication_failed",
        "session.refresh_token_reused",
        "mfa.code_refused",
    }
)


class EventPage(Received):
    """Events, newest first."""

    items: list[Event]
    next: str | None
