"""Passwords and addresses of existing accounts: what a change of them ends, and who is notified.

Methods run in the caller's unit of work.
"""

from dataclasses import dataclass
from uuid import UUID

from bongsu.contracts.security import SecurityEvent
from bongsu.identity.audit import Actor
from bongsu.identity.models import User
from bongsu_auth.accounts.links import MailLinks
from bongsu_auth.accounts.models import MailLink
from bongsu_auth.errors import CredentialsChanged, LinkRefused
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Credentials:
    """Writes new credentials, and ends the sessions that were opened with the old ones."""

    links: MailLinks
    sessions: Sessions
    notices: SecurityNotices

    async def use_reset(self, link: MailLink, hashed: str) -> User:
        """Set a password by a link.

        :raises LinkRefused: the link was used meanwhile.
        """
        user = await self.links.use(link)
        if user is None:
            raise LinkRefused
        await user.update(hashed_password=hashed)
        return user

    async def end_after_reset(self, user: User, address: str | None) -> None:
        """End every session: one may belong to a person who had the old password."""
        await self.sessions.end_all(user.id, "password_reset")
        await self.notices.record("password.reset", user, Actor(user.id, address=address), target=f"user:{user.id}")

    async def change_password(self, seen: User, session_id: UUID | None, hashed: str, actor: Actor) -> None:
        """Set a password for a user who is signed in, end their other sessions, and void links in earlier mails.

        :param seen: the user, as read when the current password was checked.
        :raises CredentialsChanged: the session has ended, or the password was changed in another request meanwhile.
        """
        user = await User.filter_by(id=seen.id).lock().one_or_none()
        if user is None or user.hashed_password != seen.hashed_password:
            raise CredentialsChanged
        if not await self.sessions.is_open(session_id, user.id):
            raise CredentialsChanged
        event: SecurityEvent = "password.changed" if user.hashed_password else "password.set"
        await user.update(hashed_password=hashed)
        await MailLink.filter_by(user_id=user.id).delete()
        await self.sessions.end_all(user.id, "password_changed", kept=session_id)
        await self.notices.record(event, user, actor, target=f"user:{user.id}")
