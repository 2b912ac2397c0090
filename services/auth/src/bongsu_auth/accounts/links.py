"""Links that are mailed to the owner of an account, each for one use.

Methods run in the caller's unit of work.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import User
from bongsu.identity.sweeps import sweep
from bongsu_auth.accounts.models import LinkPurpose, MailLink
from bongsu_auth.digests import digest
from bongsu_auth.mails import Mails

LIFETIME = timedelta(hours=1)
MAX_PER_HOUR = 5
"""Mails of one purpose to one account. The links in all of them work."""

_PAGES: dict[LinkPurpose, tuple[str, str]] = {
    "password_reset": ("reset-password", "/reset"),
    "email_change": ("confirm-email", "/email/confirm"),
}
"""The template of the mail, and the page that its link opens."""


@dataclass(frozen=True, slots=True)
class MailLinks:
    """Creates, mails, finds and uses up links."""

    mails: Mails

    async def create(self, purpose: LinkPurpose, user: User, email: str) -> str | None:
        """Store a link and return its token; None if the account got too many within the hour.

        :param email: the address that gets the mail.
        """
        now = datetime.now(UTC)
        # Concurrent requests take turns, so that the limit holds.
        await User.filter_by(id=user.id).lock().one()
        recent = MailLink.filter_by(user_id=user.id, purpose=purpose, created_at__gt=now - timedelta(hours=1))
        if await recent.count() >= MAX_PER_HOUR:
            return None
        token = secrets.token_urlsafe(32)
        await MailLink.create(
            user_id=user.id,
            purpose=purpose,
            token_digest=digest(token),
            email_norm=email,
            expires_at=now + LIFETIME,
        )
        return token

    async def send(self, purpose: LinkPurpose, *, to: str, locale: str, token: str) -> None:
        """Mail a link."""
        template, page = _PAGES[purpose]
        link = f"{self.mails.public_url}{page}?token={token}"
        await self.mails.send(template, to=to, locale=locale, variables={"link": link}, lifetime=LIFETIME)

    async def send_account_exists(self, *, to: str, locale: str) -> None:
        """Mail the owner of another account that a user asked for its address."""
        variables = {"link": f"{self.mails.public_url}/login"}
        await self.mails.send("account-exists", to=to, locale=locale, variables=variables, lifetime=LIFETIME)

    @staticmethod
    async def find(purpose: LinkPurpose, token: str) -> MailLink | None:
        """Return the link of a token that works."""
        return await MailLink.filter_by(
            token_digest=digest(token), purpose=purpose, expires_at__gt=datetime.now(UTC)
        ).first()

    @staticmethod
    async def use(link: MailLink) -> User | None:
        """Use up a link, and every other of its account; return the user, locked. None if it was used meanwhile."""
        user = await User.filter_by(id=link.user_id).lock().one_or_none()
        if user is None or not user.is_active or not await MailLink.filter_by(id=link.id).delete():
            return None
        await MailLink.filter_by(user_id=user.id).delete()
        return user


async def sweep_links() -> int:
    """Delete expired links. Returns how many."""
    # An hour later than they expire, because the limit counts those of the last hour.
    return await sweep(MailLink, expires_at__lt=datetime.now(UTC) - timedelta(hours=1))
