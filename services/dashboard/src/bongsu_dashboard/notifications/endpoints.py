"""`/notifications`: the list, one notification, and the form that sends a test."""

import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Conflict
from bongsu_dashboard.errors import SentBefore
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.notifications.notification import FILTERS, STATUSES
from bongsu_dashboard.notifications.schemas import SendForm
from bongsu_dashboard.notifications.service import Notifications
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/notifications", include_in_schema=False)

Id = Annotated[UUID, Path()]
NotificationsService = Annotated[Notifications, Provided(Notifications)]


@router.get("")
async def show_feed(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    status: str | None = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    return render(
        "notifications/feed.html",
        fragment="notifications/_feed.html",
        page=await notifications.list_page(render.browser, status=status, after=after),
        chosen=status if status in FILTERS or status in STATUSES else None,
        is_first=after is None,
        filters=FILTERS,
    )


@router.get("/new")
async def show_send_form(render: Rendering, _user: SignedIn) -> Response:
    return _send_page(render, Draft())


@router.post("")
async def send(
    render: Rendering, _user: SignedIn, notifications: NotificationsService, form: HxDraft[SendForm]
) -> Response:
    try:
        made = await notifications.send(render.browser, form.accept())
    except SentBefore as error:
        # The changed form is another mail, so it gets another attempt.
        values = {name: value for name, value in form.values.items() if name != "attempt"}
        changed: Draft[SendForm] = Draft(None, values)
        return _send_page(render, changed.refused_by(error), status_of(error))
    except FormError as error:
        return _send_page(render, form.refused_by(error), status_of(error))
    return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


def _send_page(render: Render, form: Draft[SendForm], status: int = 200) -> Response:
    return render(
        "notifications/new.html",
        fragment="notifications/_send_form.html",
        status=status,
        form=form,
        attempt=form.value("attempt") or secrets.token_urlsafe(24),
    )


@router.get("/{notification_id}")
async def show_notification(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    notification_id: Id,
    seen: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """`seen` is the version that the page has: a poll gets 204 until it changes."""
    item = await notifications.notify.find(render.browser, notification_id)
    if render.is_partial and seen == item.version:
        return Response(status_code=204)
    return render("notifications/detail.html", fragment="notifications/_detail.html", item=item)


@router.get("/{notification_id}/cancel")
async def confirm_cancel(
    render: Rendering, _user: SignedIn, notifications: NotificationsService, notification_id: Id
) -> Response:
    item = await notifications.notify.find(render.browser, notification_id)
    if not item.is_cancellable:
        return render.redirect(f"/notifications/{notification_id}", flash="bad.not_cancellable")
    return render("notifications/cancel.html", item=item)


@router.post("/{notification_id}/cancel")
async def cancel(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    _form: HxForm[Form],
    notification_id: Id,
) -> Response:
    try:
        await notifications.notify.cancel(render.browser, notification_id)
    except Conflict:
        return render.redirect(f"/notifications/{notification_id}", flash="bad.not_cancellable")
    return render.redirect(f"/notifications/{notification_id}", flash="ok.cancelled")


@router.post("/{notification_id}/retry")
async def retry(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    _form: HxForm[Form],
    notification_id: Id,
) -> Response:
    try:
        await notifications.notify.retry(render.browser, notification_id)
    except Conflict:
        return render.redirect(f"/notifications/{notification_id}", flash="bad.not_retryable")
    return render.redirect(f"/notifications/{notification_id}", flash="ok.retried")
