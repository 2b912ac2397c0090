"""`/v1/notifications`."""

from importlib.resources import files
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import Field

from bongsu.contracts.notifications import (
    NotificationContent,
    NotificationCounts,
    NotificationDetail,
    NotificationOut,
    NotificationPage,
    RetriedNotifications,
)
from bongsu.contracts.text import Matching
from bongsu.identity.dependencies import Caller, require_scope, require_scope_before_claim
from bongsu.identity.scopes import Scope
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.documentation import Sample, document_samples
from bongsu.runtime.problems import problems
from bongsu_notify.channels.registry import AnyNotificationIn
from bongsu_notify.notifications.lists import Filters, NotificationLists, Period
from bongsu_notify.notifications.principal import Principal, principal_of
from bongsu_notify.notifications.retries import Retries
from bongsu_notify.notifications.schemas import ListQuery, NoQuery, PeriodQuery, RetryIn
from bongsu_notify.notifications.service import Notifications


async def _refuse_query(_query: Annotated[NoQuery, Query()]) -> None:
    """Answer 422 to any query parameter."""


NO_QUERY = [Depends(_refuse_query)]

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])


async def _reader(caller: Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_READ))]) -> Principal:
    return principal_of(caller)


async def _writer(caller: Annotated[Caller, Depends(require_scope(Scope.NOTIFICATIONS_WRITE))]) -> Principal:
    return principal_of(caller)


Reader = Annotated[Principal, Depends(_reader)]
Writer = Annotated[Principal, Depends(_writer)]
Submitter = Annotated[Caller, Depends(require_scope_before_claim(Scope.NOTIFICATIONS_WRITE), scope="function")]
Service = Annotated[Notifications, Provided(Notifications)]
Lists = Annotated[NotificationLists, Provided(NotificationLists)]
RetriesService = Annotated[Retries, Provided(Retries)]
Units = Annotated[Database, Provided(Database)]
Id = Annotated[UUID, Path(description="Notification ID, as returned by the 202 response")]


def _read_sample(name: str) -> str:
    return (files("bongsu_notify.notifications") / "samples" / name).read_text(encoding="utf-8")


IdempotencyKey = Annotated[
    Annotated[
        str,
        Field(min_length=1, max_length=255),
        Matching(r"^[\x21-\x7e]+$", "must be printable ASCII without spaces"),
    ]
    | None,
    Header(
        description="Makes the request safe to repeat: for 24 hours the same key with the same body returns what the "
        "first request made, and with another body is refused. A field left out equals its default",
    ),
]


@router.post(
    "",
    status_code=202,
    responses=problems(401, 403, 409, 413, 422, 503),
    openapi_extra=document_samples(
        Sample("curl", "sh", _read_sample("curl.txt")),
        Sample("Python", "python", _read_sample("python.txt")),
        Sample("JavaScript", "js", _read_sample("javascript.txt")),
    ),
)
async def submit(
    body: AnyNotificationIn,
    caller: Submitter,
    notifications: Service,
    response: Response,
    _query: Annotated[NoQuery, Query()],
    idempotency_key: IdempotencyKey = None,
) -> NotificationOut:
    """Send a notification. A 202 means that it is stored and will end in a final status.

    Samples of a signed request: curl with openssl, the Python client, and JavaScript.
    """
    made = await notifications.submit(body, principal_of(caller), idempotency_key=idempotency_key)
    response.headers["Location"] = f"/v1/notifications/{made.id}"
    return NotificationOut.model_validate(made)


@router.get("", responses=problems(401, 403, 422))
async def list_notifications(
    principal: Reader,
    lists: Lists,
    query: Annotated[ListQuery, Query()],
) -> NotificationPage:
    """List your notifications, newest first."""
    filters = Filters(
        statuses=query.status,
        channel=query.channel,
        topic=query.topic,
        recipient=query.to,
        scheduled=query.scheduled,
        search=query.q,
        period=Period(query.since, query.until),
    )
    page, following = await lists.list_page(principal, filters, limit=query.limit, after=query.after)
    return NotificationPage(
        items=[NotificationOut.model_validate(row) for row in page], next=str(following) if following else None
    )


@router.get("/counts", responses=problems(401, 403, 422))
async def count_notifications(
    principal: Reader, lists: Lists, query: Annotated[PeriodQuery, Query()]
) -> NotificationCounts:
    """Count your notifications by status."""
    found = await lists.count_statuses(principal, Period(query.since, query.until))
    return NotificationCounts(
        counts=found.counts,
        scheduled=found.scheduled,
        oldest_waiting=found.oldest_waiting,
        limit=lists.count_limit,
    )


@router.post("/retry", dependencies=NO_QUERY, status_code=202, responses=problems(401, 403, 409, 422, 503))
async def retry_notifications(
    body: RetryIn, principal: Writer, retries: RetriesService, idempotency_key: IdempotencyKey = None
) -> RetriedNotifications:
    """Send many failed or expired notifications again, newest first: at most `limit`, and `next` continues.

    Those that cannot be retried stay as they are. A repeated request finds what it retried no longer failed.
    """
    retried = await retries.retry(body, principal, idempotency_key=idempotency_key)
    return RetriedNotifications(
        retried=retried.count, next=str(retried.following) if retried.following is not None else None
    )


@router.get("/{notification_id}", dependencies=NO_QUERY, responses=problems(401, 403, 404, 422))
async def get_notification(notification_id: Id, principal: Reader, notifications: Service) -> NotificationDetail:
    """Get a notification and its timeline."""
    found, timeline = await notifications.find_with_timeline(notification_id, principal)
    shown = dict(NotificationOut.model_validate(found))
    return NotificationDetail.model_validate(shown | {"timeline": timeline})


@router.get("/{notification_id}/content", dependencies=NO_QUERY, responses=problems(401, 403, 404, 422))
async def get_content(notification_id: Id, principal: Reader, notifications: Service) -> NotificationContent:
    """Get the subject and the content of a notification."""
    subject, content = await notifications.find_content(notification_id, principal)
    return NotificationContent(subject=subject, content=dict(content) if content is not None else None)


@router.post("/{notification_id}/cancel", dependencies=NO_QUERY, responses=problems(401, 403, 404, 409, 422, 503))
async def cancel(notification_id: Id, principal: Writer, notifications: Service, database: Units) -> NotificationOut:
    """Cancel a notification that is not sent yet."""
    return NotificationOut.model_validate(await database.run(notifications.cancel, notification_id, principal))


@router.post("/{notification_id}/restore", dependencies=NO_QUERY, responses=problems(401, 403, 404, 409, 422, 503))
async def restore(notification_id: Id, principal: Writer, notifications: Service, database: Units) -> NotificationOut:
    """Undo the cancellation of a notification: it waits for its send time again."""
    return NotificationOut.model_validate(await database.run(notifications.restore, notification_id, principal))


@router.post(
    "/{notification_id}/retry", dependencies=NO_QUERY, status_code=202, responses=problems(401, 403, 404, 409, 422, 503)
)
async def retry(
    notification_id: Id, principal: Writer, notifications: Service, idempotency_key: IdempotencyKey = None
) -> NotificationOut:
    """Send a failed or expired notification again."""
    retried = await notifications.retry(notification_id, principal, idempotency_key=idempotency_key)
    return NotificationOut.model_validate(retried)
