"""Reacts to blocked accounts and changed roles. Every function opens its own units of work."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bongsu.contracts.jobs import EmailRecipient, NotificationJob, variables_context
from bongsu.contracts.tokens import Role
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, Q
from bongsu_notify.notifications import transitions
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.notifications.statuses import CLAIMABLE

CHUNK_ROWS: Final = 500
SETTLED_AFTER: Final = timedelta(seconds=10)
"""Tokens and keys of a blocked account work for up to five seconds more: what they sent is cancelled as well."""
MAIL_LIFETIME: Final = timedelta(hours=24)
REASON: Final = "the account was blocked"
TEMPLATE: Final = "account-changed"
STILL_TO_SEND: Final = Q(status__in=sorted(CLAIMABLE)) | Q(status="unknown", guarantee="at-least-once")
"""What will be sent, or sent again."""


@dataclass(frozen=True, slots=True)
class ChangedUsers:
    """Cancels what a blocked account has queued, and mails the owners of changed accounts."""

    database: Database
    notifications: Notifications
    vault: Vault

    async def stop(self, user_id: UUID, *, event_id: UUID, blocked_at: datetime) -> bool:
        """Cancel the notifications of a blocked user that wait to be sent, and mail the user.

        An account that was unblocked in the meantime keeps them.

        :param event_id: names the mail, so that an event that arrives twice makes one.
        :return: whether nothing is left to be cancelled, now and later.
        """
        user = await User.get_or_none(user_id)
        if user is None or user.status != "blocked":
            return True
        await self._mail(user, event_id, {"event": "user.blocked", "role": ""})
        while await self.database.run(self._cancel_chunk, user_id):
            pass
        # What is being sent may wait again afterwards.
        left = Notification.filter_by(STILL_TO_SEND | Q(status="sending"), user_id=user_id)
        is_over = datetime.now(UTC) >= blocked_at + SETTLED_AFTER
        return is_over and not await left.exists()

    async def announce_role(self, user_id: UUID, role: Role, *, event_id: UUID) -> None:
        """Mail a user who has a new role, unless it was changed again."""
        user = await User.get_or_none(user_id)
        if user is not None and user.is_active and user.role == role:
            await self._mail(user, event_id, {"event": "user.role_changed", "role": role})

    @staticmethod
    async def _cancel_chunk(user_id: UUID) -> int:
        waiting = Notification.filter_by(STILL_TO_SEND, user_id=user_id)
        # A worker may hold some to claim them: those are sent, or found the next time.
        rows = await waiting.order_by("id").limit(CHUNK_ROWS).lock(skip_locked=True).all()
        return len(await transitions.cancel(rows, REASON))

    async def _mail(self, user: User, event_id: UUID, variables: dict[str, str]) -> None:
        if user.email_norm is None or not user.is_verified:
            return
        job = NotificationJob(
            id=event_id,
            template=TEMPLATE,
            locale="en" if user.locale == "en" else "ko",
            to=EmailRecipient(email=user.email_norm),
            sealed_variables=self.vault.seal(json.dumps(variables), aad=variables_context(event_id)),
            expires_at=datetime.now(UTC) + MAIL_LIFETIME,
        )
        await self.database.run(self.notifications.submit_job, job)
