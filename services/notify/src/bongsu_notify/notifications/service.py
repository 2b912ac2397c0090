"""The rules of notifications: what is accepted, who sees it, and what may be done to it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from bongsu.contracts.jobs import NotificationJob
from bongsu.identity import audit
from bongsu.identity.models import User
from bongsu.mixins import Database, uuid7
from bongsu.runtime.errors import ServiceError
from bongsu_notify.channels.channel import Channel
from bongsu_notify.channels.simulated import is_simulated
from bongsu_notify.errors import (
    IdempotencyMismatch,
    InvalidTime,
    MaySendTwice,
    NotCancellable,
    NotificationNotFound,
    NotRestorable,
    NotRetryable,
    OnTrial,
)
from bongsu_notify.notifications import transitions
from bongsu_notify.notifications.creation import announce, read_clock
from bongsu_notify.notifications.idempotency import IDEMPOTENCY_WINDOW, fingerprint, idempotent
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.retry_keys import RetryKeys
from bongsu_notify.notifications.schemas import NotificationIn
from bongsu_notify.notifications.submissions import Submissions, replay


class Notifications:
    """`submit` and `retry` open units of work of their own, because an idempotency key may need a second one.

    The other methods run in the caller's unit.

    :param everyone_is_live: a stand-in does the sending, so no account is on trial.
    """

    def __init__(  # noqa: PLR0913 - limits, for tests to pass others
        self,
        database: Database,
        channels: Mapping[str, Channel[Any]],
        *,
        everyone_is_live: bool,
        idempotency_window: timedelta = IDEMPOTENCY_WINDOW,
        max_ahead: timedelta = timedelta(days=366),
        max_behind: timedelta = timedelta(minutes=1),
        timeline_limit: int = 200,
    ) -> None:
        self._database = database
        self._channels = channels
        self._everyone_is_live = everyone_is_live
        self._retry_keys = RetryKeys(idempotency_window)
        self._max_ahead = max_ahead
        self._max_behind = max_behind
        self._timeline_limit = timeline_limit
        self._submissions = Submissions(database, idempotency_window)

    async def submit(
        self, request: NotificationIn, principal: Principal, *, idempotency_key: str | None
    ) -> Notification:
        """Accept a notification: the row, its first event and its wake-up, in one transaction.

        :raises IdempotencyMismatch: the key was used for another request.
        :raises InvalidTime: a time has passed, or is too far ahead.
        :raises SenderNotAllowed: `from` is not the operator's address.
        :raises OnTrial: the account may not send to this recipient yet.
        :raises ServiceError: the channel's own, such as ChannelNotAllowed.
        """
        channel = self._channels[request.channel]
        try:
            await self._check_times(request)
            channel.check(request)
            await self._check_trial(channel, request, principal)
            granted = await channel.authorise(request, principal)
        except ServiceError:
            # Perhaps it was accepted before: its time has passed since, or the account changed.
            used = idempotency_key and await self._submissions.find(principal.name, idempotency_key)
            if not used:
                raise
            return replay(used, fingerprint(request))
        return await self._submissions.submit(
            {
                "id": uuid7(),
                "user_id": principal.user_id,
                "principal": principal.name,
                "idempotency_key": idempotency_key,
                "fingerprint": fingerprint(request) if idempotency_key is not None else None,
                "mode": principal.mode,
                "channel": request.channel,
                "sender": None,
                "reply_to": None,
                "topic": request.topic,
                **channel.columns(request),
                **granted,
                "category": request.category,
                "priority": request.priority,
                "guarantee": request.guarantee,
                "send_at": request.send_at,
                "expires_at": request.expires_at,
                "details": request.metadata,
                "status": "accepted",
                "attempt": 0,
            },
            principal.nonce,
        )

    async def _check_times(self, request: NotificationIn) -> None:
        if request.send_at is None and request.expires_at is None:
            return
        now = await self._submissions.read_clock()
        for name, at in (("send_at", request.send_at), ("expires_at", request.expires_at)):
            if at is not None and at > now + self._max_ahead:
                raise InvalidTime(name, "must be within a year")
        if request.send_at is not None and request.send_at < now - self._max_behind:
            raise InvalidTime("send_at", "must not be in the past")
        if request.expires_at is not None and request.expires_at <= now:
            raise InvalidTime("expires_at", "must be later than now")

    async def _check_trial(self, channel: Channel[Any], request: NotificationIn, principal: Principal) -> None:
        if self._everyone_is_live or principal.off_trial or principal.mode == "test" or is_simulated(request.recipient):
            return
        user = await User.get_or_none(principal.user_id)
        if user is None or not (user.sending == "live" or channel.is_to_self(request, user)):
            raise OnTrial

    async def submit_job(self, job: NotificationJob) -> Notification | None:
        """Accept a mail that another service asks for. None if this job was accepted before."""
        if await Notification.filter_by(id=job.id).exists():
            return None
        now = await read_clock()
        row = {
            "id": job.id,
            "user_id": job.user_id,
            "principal": "system",
            "channel": "email",
            "recipient": job.to.email,
            "to": job.to.model_dump(),
            "template": job.template,
            "locale": job.locale,
            "sealed_variables": job.sealed_variables,
            "priority": job.priority,
            "send_at": None,
            "expires_at": job.expires_at,
            "status": "accepted",
            "attempt": 0,
            "created_at": now,
            "updated_at": now,
        }
        await Notification.bulk_create([row])
        await announce([row], now)
        return Notification(**row)

    async def close(self) -> None:
        """Finish the submissions in progress."""
        await self._submissions.close()

    async def find(self, notification_id: UUID, principal: Principal) -> Notification:
        """A notification that the principal may see.

        :raises NotificationNotFound: it does not exist or belongs to another user.
        """
        found = await Notification.get_or_none(notification_id)
        if found is None or not (principal.sees_all or found.user_id == principal.user_id):
            raise NotificationNotFound
        return found

    async def find_with_timeline(
        self, notification_id: UUID, principal: Principal
    ) -> tuple[Notification, Sequence[NotificationEvent]]:
        """As `find`, with its timeline, oldest first: the newest `timeline_limit` entries.

        :raises NotificationNotFound: as `find`.
        """
        found = await self.find(notification_id, principal)
        # By the database's clock first: the ids are made by processes whose clocks may differ.
        events = NotificationEvent.filter_by(notification_id=found.id)
        newest = events.order_by("-created_at", "-id").limit(self._timeline_limit)
        return found, (await newest.all())[::-1]

    async def find_content(
        self, notification_id: UUID, principal: Principal
    ) -> tuple[str | None, Mapping[str, Any] | None]:
        """The subject and the content; None for a template's.

        :raises NotificationNotFound: as `find`.
        """
        found = await self.find(notification_id, principal)
        rows = await Notification.filter_by(id=found.id).pluck("content")
        return found.subject, rows[0] if rows else None

    async def cancel(self, notification_id: UUID, principal: Principal) -> Notification:
        """Cancel a notification that waits. Cancelling it again changes nothing.

        :raises NotificationNotFound: as `find`.
        :raises NotCancellable: the provider has it, or it ended.
        """
        found = await self.find(notification_id, principal)
        if found.status == "cancelled":
            return found
        was = found.status
        if not await transitions.cancel([found], "it may have been sent before" if was == "unknown" else None):
            raise NotCancellable(was)
        await audit.record(
            "notification.cancelled", principal.actor, subject_id=found.user_id, target=f"notification:{found.id}"
        )
        return found

    async def restore(self, notification_id: UUID, principal: Principal) -> Notification:
        """Undo a cancellation. A notification that is not cancelled stays as it is.

        :raises NotificationNotFound: as `find`.
        :raises NotRestorable: its secret variables are deleted.
        :raises MaySendTwice: as `retry`.
        """
        found = await self.find(notification_id, principal)
        if found.status != "cancelled":
            return found
        if await transitions.restore([found]):
            await audit.record(
                "notification.restored", principal.actor, subject_id=found.user_id, target=f"notification:{found.id}"
            )
        elif transitions.may_have_been_sent(found):
            raise MaySendTwice
        elif found.template is not None:
            raise NotRestorable
        return found

    async def retry(self, notification_id: UUID, principal: Principal, *, idempotency_key: str | None) -> Notification:
        """Send a failed or expired notification again, with as many attempts as a new one.

        :raises NotificationNotFound: as `find`.
        :raises IdempotencyMismatch: the key was used for another request.
        :raises NotRetryable: it did not end that way, or its secret variables are deleted.
        :raises MaySendTwice: it may have been sent, and its guarantee is at-most-once.
        """
        return await idempotent(
            self._database,
            idempotency_key,
            make=partial(self._retry, notification_id, principal, idempotency_key),
            replay=partial(self._find_retried, notification_id, principal),
        )

    async def _retry(self, notification_id: UUID, principal: Principal, idempotency_key: str | None) -> Notification:
        found = await self.find(notification_id, principal)
        if not await transitions.retry([found], principal):
            raise MaySendTwice if transitions.may_have_been_sent(found) else NotRetryable(found.status)
        if idempotency_key is not None:
            await self._retry_keys.claim(principal.name, idempotency_key, found.id)
        return found

    async def _find_retried(
        self, notification_id: UUID, principal: Principal, idempotency_key: str
    ) -> Notification | None:
        """What this key retried within the window, as it is now."""
        used = await self._retry_keys.find(principal.name, idempotency_key)
        if used is None:
            return None
        if used.notification_id != notification_id or used.fingerprint is not None:
            raise IdempotencyMismatch
        return await self.find(notification_id, principal)
