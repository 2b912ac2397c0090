"""Passwords and addresses of existing accounts: what a change of them ends, and who is notified.

Methods run in the caller's unit of work, except `confirm_email`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu import mixins
from bongsu.contracts.security import SecurityEvent
from bongsu.identity.audit import Actor
from bongsu.identity.models import User
from bongsu.mixins import Database
from bongsu_auth.accounts.links import MailLinks
from bongsu_auth.accounts.models import MailLink, Registration
from bongsu_auth.errors import CredentialsChanged, LinkRefused, TooManyMails
from bongsu_auth.mfa.models import MfaChallenge
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Credentials:
    """Writes new credentials, and ends the sessions that were opened with the old ones."""

    database: Database
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
        await MfaChallenge.filter_by(user_id=user.id).delete()
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
        for waiting in (MailLink, MfaChallenge):
            await waiting.filter_by(user_id=user.id).delete()
        await self.sessions.end_all(user.id, "password_changed", kept=session_id)
        await self.notices.record(event, user, actor, target=f"user:{user.id}")

    async def request_email(self, user_id: UUID, email: str, actor: Actor) -> None:
        """Mail a link to a new address, and notify the owner at the present one.

        If another account has the address, its owner gets a mail without a link; the statements are the same.

        :raises TooManyMails: the user requested too many within the hour.
        """
        user = await User.get(user_id)
        token = await self.links.create("email_change", user, email)
        if token is None:
            raise TooManyMails
        if await User.filter_by(email_norm=email).exists():
            await self.links.send_account_exists(to=email, locale=user.locale)
        else:
            await self.links.send("email_change", to=email, locale=user.locale, token=token)
        target = f"user:{user.id}"
        await self.notices.record("email.change_requested", user, actor, target=target, subject=email)

    async def confirm_email(self, token: str, address: str | None) -> None:
        """Give an account the address to which the token was mailed.

        :param address: the client's, for the audit log.
        :raises LinkRefused: the token is unknown, used or expired, or another account has the address by now.
        """
        try:
            await self.database.run(self._confirm_email, token, address)
        except mixins.Conflict:
            raise LinkRefused from None

    async def _confirm_email(self, token: str, address: str | None) -> None:
        link = await self.links.find("email_change", token)
        user = await self.links.use(link) if link is not None else None
        if link is None or user is None:
            raise LinkRefused
        before = user.email_norm if user.is_verified else None
        await user.update(email_norm=link.email_norm, email_verified_at=datetime.now(UTC))
        await Registration.filter_by(email_norm=link.email_norm).delete()
        actor, target = Actor(user.id, address=address), f"user:{user.id}"
        await self.notices.record("email.changed", user, actor, target=target, subject=link.email_norm, to=before)
