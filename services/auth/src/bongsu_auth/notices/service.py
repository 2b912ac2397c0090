"""Security notices: an entry of the audit log and a mail to the owner of the account, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from bongsu.contracts.security import SECURITY_NOTICE, SecurityEvent
from bongsu.identity import audit
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.models import AuditEntry, User
from bongsu_auth.mails import Mails

MAX_MAILS = 5
"""Mails about one kind of event to one user within `WINDOW`; the audit log has every event."""

WINDOW = timedelta(hours=1)
_LIFETIME = timedelta(hours=24)
_KOREA = timezone(timedelta(hours=9))


@dataclass(frozen=True, slots=True)
class SecurityNotices:
    """Records security events and notifies the owner of the account.

    Usage, in the unit of work that makes the change:
    `await notices.record("identity.linked", user, caller.actor, target="identity:google", subject="Google")`.
    """

    mails: Mails

    async def record(  # noqa: PLR0913 - each is one fact of the event
        self,
        event: SecurityEvent,
        user: User,
        actor: Actor = SYSTEM,
        *,
        target: str | None = None,
        details: Mapping[str, str | int] | None = None,
        subject: str = "",
        to: str | None = None,
    ) -> None:
        """Append an entry to the audit log, and send a mail about it.

        No mail goes to an account without a verified address.

        :param actor: the user or system that caused it; its address is in the mail.
        :param details: for the audit log.
        :param subject: the object that the mail names: a provider, a device, the new email address.
        :param to: the address to notify instead of the user's, such as the previous one after a change.
        """
        to = to or (user.email_norm if user.is_verified else None)
        if to is not None and not await _is_limit_reached(event, user):
            variables = {
                "event": event,
                "at": _format_time(datetime.now(UTC), user.locale),
                "address": actor.address or "",
                "subject": subject,
                "link": f"{self.mails.public_url}/account",
            }
            await self.mails.send(SECURITY_NOTICE, to=to, locale=user.locale, variables=variables, lifetime=_LIFETIME)
        await audit.record(event, actor, subject_id=user.id, target=target, details=details)


async def _is_limit_reached(event: SecurityEvent, user: User) -> bool:
    recent = AuditEntry.filter_by(subject_id=user.id, action=event, created_at__gt=datetime.now(UTC) - WINDOW)
    return len(await recent.limit(MAX_MAILS).pluck("id")) >= MAX_MAILS


def _format_time(moment: datetime, locale: str) -> str:
    """Format a time to the minute: in UTC, in Korean mails in Korea's."""
    if locale == "en":
        return f"{moment:%Y-%m-%d %H:%M} UTC"
    return f"{moment.astimezone(_KOREA):%Y-%m-%d %H:%M} (한국 시간)"
