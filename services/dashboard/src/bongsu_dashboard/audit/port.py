"""The port to auth: the audit log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bongsu_dashboard.accounts.user import Event
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received


class Entry(Event):
    """An action of a user, as managers see it. `target` names its object by kind and ID."""

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    actor_email: str | None = None
    subject_email: str | None = None
    target: str | None = None

    @property
    def actor(self) -> str | None:
        """The address of the user who acted, or the ID; None where it is not known who did."""
        return self.actor_email or (str(self.actor_id) if self.actor_id else None)

    @property
    def subject(self) -> str | None:
        """The address of another user who is affected, or the ID; None where it is the actor."""
        if self.subject_id == self.actor_id:
            return None
        return self.subject_email or (str(self.subject_id) if self.subject_id else None)

    @property
    def notification(self) -> str | None:
        """The ID of the notification that the action is about."""
        return self._target_of("notification")

    @property
    def guild(self) -> str | None:
        """The ID of the server that the action is about."""
        return self._target_of("guild")

    def _target_of(self, kind: str) -> str | None:
        found, _, name = (self.target or "").partition(":")
        return name if found == kind and name else None


class EntryPage(Received):
    """Entries, newest first."""

    items: list[Entry]
    next: str | None


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """The filters of a page; None does not filter.

    :param since: recorded at or after it.
    :param until: recorded before it.
    """

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditClient(Protocol):
    """Auth's audit log. Raises ServiceDown while auth does not answer."""

    async def list_entries(self, browser: Browser, query: EntryQuery, *, after: UUID | None, limit: int) -> EntryPage:
        """List a page of at most `limit` entries."""
