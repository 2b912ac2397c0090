"""`/v1/notifications`."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from bongsu import mixins
from bongsu.identity.dependencies import Caller, require_scope
from bongsu.identity.scopes import Scope
from bongsu.mixins import Database
from bongsu.runtime.errors import Conflict, ServiceError
from bongsu.runtime.problems import problems
from bongsu_notify.notifications import service
from bongsu_notify.notifications.access import principal_of
from bongsu_notify.notifications.models import Notification
from bongsu_notify.notifications.schemas import (
    Email,
    Failure,
    NotificationDetail,
    NotificationIn,
    NotificationOut,
    NotificationPage,
    Recipient,
    TimelineEntry,
    Topic,
)
from bongsu_notify.notifications.service import Filters, Rules
from bongsu_notify.notifications.statuses import Status

Reader = Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_READ))]
Writer = Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_WRITE))]
Id = Annotated[UUID, Path(description="The id that the 202 told")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same request within 24 hours answers with what it made the first time. "
        "A field that is left out and one at its default are the same; another request is refused",
    ),
]


def create_router(database: Database, rules: Rules) -> APIRouter:
    """The routes; each opens one unit of work and commits it before it answers."""
    router = APIRouter(prefix="/v1/notifications", tags=["notifications"])

    @router.post("", status_code=202, responses=problems(401, 403, 409, 413, 422, 503))
    async def submit(
        body: NotificationIn, caller: Writer, response: Response, idempotency_key: IdempotencyKey = None
    ) -> NotificationOut:
        """Accept a notification. Once this answers 202, it will end in a final state."""
        principal = principal_of(caller)
        made = await _once(
            database,
            idempotency_key,
            make=lambda: service.submit(body, principal, rules, idempotency_key=idempotency_key),
            replay=lambda key: service.replay(body, principal, idempotency_key=key),
        )
        response.headers["Location"] = f"/v1/notifications/{made.id}"
        return _shown(made)

    @router.get("", responses=problems(401, 403, 422))
    async def listed(
        caller: Reader,
        status: Status | None = None,
        channel: Annotated[str | None, Query(max_length=16, pattern="^[a-z]+$")] = None,
        topic: Topic | None = None,
        to: Email | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    ) -> NotificationPage:
        """What you sent, newest first."""
        filters = Filters(status=status, channel=channel, topic=topic, recipient=to)
        found, following = await service.listed(principal_of(caller), filters, limit=limit, after=after)
        return NotificationPage(items=[_shown(one) for one in found], next=str(following) if following else None)

    @router.get("/{notification_id}", responses=problems(401, 403, 404, 422))
    async def detail(notification_id: Id, caller: Reader) -> NotificationDetail:
        """One notification and what happened to it."""
        found = await service.find(notification_id, principal_of(caller))
        steps = [
            TimelineEntry(status=step.status, at=step.created_at, attempt=step.attempt, detail=step.detail)
            for step in await service.timeline(found.id)
        ]
        return NotificationDetail(**dict(_shown(found)), timeline=steps)

    @router.post("/{notification_id}/cancel", responses=problems(401, 403, 404, 409, 422, 503))
    async def cancel(notification_id: Id, caller: Writer) -> NotificationOut:
        """Keep a notification that still waits from being sent."""
        async with database.unit():
            return _shown(await service.cancel(notification_id, principal_of(caller)))

    @router.post("/{notification_id}/retry", status_code=202, responses=problems(401, 403, 404, 409, 422, 503))
    async def retry(notification_id: Id, caller: Writer, idempotency_key: IdempotencyKey = None) -> NotificationOut:
        """Try once more what failed or expired."""
        principal = principal_of(caller)
        retried = await _once(
            database,
            idempotency_key,
            make=lambda: service.retry(notification_id, principal, idempotency_key=idempotency_key),
            replay=lambda key: service.replay_retry(notification_id, principal, idempotency_key=key),
        )
        return _shown(retried)

    return router


async def _once(
    database: Database,
    key: str | None,
    *,
    make: Callable[[], Awaitable[Notification]],
    replay: Callable[[str], Awaitable[Notification | None]],
) -> Notification:
    """What this request makes, or what it made before by the same key. Two at once by one key make one thing."""
    for _ in range(2):
        try:
            async with database.unit():
                return await make()
        except (mixins.Conflict, ServiceError) as error:
            if key is None:
                raise
            # Refused perhaps because it was accepted before: its key is taken, its time has passed since. In a unit of
            # its own: the one that lost may not see what won (REPEATABLE READ).
            async with database.unit():
                if (found := await replay(key)) is not None:
                    return found
            if isinstance(error, ServiceError):
                raise
    raise Conflict("This Idempotency-Key is being used by another request; try again", code="idempotency_in_progress")


def _shown(one: Notification) -> NotificationOut:
    """The notification as callers see it: sealed variables and bodies stay inside."""
    return NotificationOut(
        id=one.id,
        status=one.status,
        channel=one.channel,
        mode="test" if one.mode == "test" else "live",
        to=Recipient(email=one.recipient, name=one.recipient_name),
        subject=one.subject,
        template=one.template,
        category=one.category,
        topic=one.topic,
        priority=one.priority,
        guarantee=one.guarantee,
        send_at=one.send_at,
        expires_at=one.expires_at,
        metadata=one.details,
        attempt=one.attempt,
        next_attempt_at=one.next_attempt_at,
        provider_message_id=one.provider_message_id,
        error=Failure(code=one.error_code, detail=one.error_detail) if one.error_code else None,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )
