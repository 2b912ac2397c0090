"""`/notifications`: the list, one notification, and the form that sends a test."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Conflict
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.notifications.export import write_csv
from bongsu_dashboard.notifications.filters import CHANNELS, GROUPS, Filters
from bongsu_dashboard.notifications.schemas import KakaoForm, MessageForm, SelectedForm, SendForm
from bongsu_dashboard.notifications.service import Notifications
from bongsu_dashboard.pages.csv_files import download
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.guards import MAIL_HEADERS
from bongsu_dashboard.pages.rendering import PAGE_HEADERS, Render

router = APIRouter(prefix="/notifications", include_in_schema=False)

FORMS: Final = {"email": "_send_form", "discord": "_message_form", "kakao": "_kakao_form"}
"""The template of each channel's form."""
Id = Annotated[UUID, Path()]
NotificationsService = Annotated[Notifications, Provided(Notifications)]


@router.get("")
async def show_list(
    request: Request,
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    filters = Filters.parse(request.query_params)
    page, counts = await notifications.list_page(render.browser, filters, after=after)
    return render(
        "notifications/list.html",
        fragment="notifications/_results.html",
        # The address without the parameters that are empty. A page that Back restores is in the history already.
        headers={"HX-Push-Url": filters.address(after=after)} if render.is_partial else {},
        page=page,
        counts=counts,
        filters=filters,
        groups=GROUPS,
        channels=CHANNELS,
        is_first=after is None,
    )


@router.get("/fresh")
async def show_fresh(
    request: Request,
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    newest: UUID,
    seen: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """What the list polls: how many notifications are newer than its first; 204 while `seen` is right."""
    filters = Filters.parse(request.query_params)
    if not render.is_partial:
        return render.redirect(filters.address())
    count = await notifications.count_newer(render.browser, filters, newest)
    if count == seen:
        return Response(status_code=204)
    return render("notifications/_fresh.html", filters=filters, newest=newest, count=count)


@router.get("/export.csv")
async def export(request: Request, render: Rendering, _user: SignedIn, notifications: NotificationsService) -> Response:
    pages = notifications.load_pages(render.browser, Filters.parse(request.query_params))
    first = await anext(pages)  # an error of the first page is still answered with a page
    return download(write_csv(first, pages), "notifications.csv")


@router.post("/selected")
async def act_on_selected(
    request: Request,
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    form: HxForm[SelectedForm],
) -> Response:
    """Cancel, restore or retry. A cancellation is confirmed on a page of its own."""
    back = Filters.parse(request.query_params).address()
    if not form.id:
        return render.redirect(back, flash="note.none_selected")
    if form.act == "cancel" and not form.confirmed:
        return render("notifications/cancel_selected.html", ids=form.id, back_to=back, query=request.url.query)
    count = await notifications.act(render.browser, form.act, form.id)
    tone = "ok" if count == len(set(form.id)) else "note"
    outcome = {"cancel": "cancelled", "restore": "restored", "retry": "retried"}[form.act]
    return render.redirect(back, flash=f"{tone}.{outcome}_{'all' if tone == 'ok' else 'some'}:{count}")


@router.get("/new")
async def show_send_form(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    source: Annotated[UUID | None, Query(alias="from")] = None,
    channel: str = "email",
) -> Response:
    """The forms of all channels, with that of `channel` open; `from` is a notification to send again with changes."""
    values: dict[str, list[str]] = {}
    if source:
        channel, values = await notifications.load_draft(render.browser, source)
    return _compose_page(render, channel if channel in FORMS else "email", Draft(values=values))


@router.post("")
async def send(
    render: Rendering, _user: SignedIn, notifications: NotificationsService, form: HxDraft[SendForm]
) -> Response:
    try:
        made = await notifications.send(render.browser, form.accept())
    except FormError as error:
        return _compose_page(render, "email", form.refused_by(error), status_of(error))
    return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


@router.post("/discord")
async def send_message(
    render: Rendering, user: SignedIn, notifications: NotificationsService, form: HxDraft[MessageForm]
) -> Response:
    try:
        made = await notifications.send_message(render.browser, user.id, form.accept())
    except FormError as error:
        return _compose_page(render, "discord", form.refused_by(error), status_of(error))
    return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


@router.post("/kakao")
async def send_kakao(
    render: Rendering, user: SignedIn, notifications: NotificationsService, form: HxDraft[KakaoForm]
) -> Response:
    try:
        made = await notifications.send_kakao(render.browser, user.id, form.accept())
    except FormError as error:
        return _compose_page(render, "kakao", form.refused_by(error), status_of(error))
    return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


def _compose_page(render: Render, channel: str, draft: Draft[Any], status: int = 200) -> Response:
    """The forms of all channels: that of `channel` has the draft, and the others are new."""
    drafts = {name: draft if name == channel else Draft() for name in FORMS}
    return render(
        "notifications/new.html",
        fragment=f"notifications/{FORMS[channel]}.html",
        status=status,
        channel=channel,
        drafts=drafts,
        attempts={name: one.value("attempt") or secrets.token_urlsafe(24) for name, one in drafts.items()},
    )


@router.get("/{notification_id:uuid}")
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
    if render.is_partial:
        return render("notifications/_detail.html", item=item)
    content = await notifications.notify.load_content(render.browser, notification_id)
    return render("notifications/detail.html", item=item, content=content)


@router.get("/{notification_id:uuid}/mail")
async def show_mail(
    render: Rendering, _user: SignedIn, notifications: NotificationsService, notification_id: Id
) -> Response:
    """The HTML of a mail, for the frame of its page."""
    content = await notifications.notify.load_content(render.browser, notification_id)
    return HTMLResponse(content.part("html"), headers={**PAGE_HEADERS, **MAIL_HEADERS})


@router.get("/{notification_id:uuid}/cancel")
async def confirm_cancel(
    render: Rendering, _user: SignedIn, notifications: NotificationsService, notification_id: Id
) -> Response:
    item = await notifications.notify.find(render.browser, notification_id)
    if not item.is_cancellable:
        flash = None if item.status == "cancelled" else "bad.not_cancellable"
        return render.redirect(f"/notifications/{notification_id}", flash=flash)
    return render("notifications/cancel.html", item=item)


@router.post("/{notification_id:uuid}/cancel")
async def cancel(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    _form: HxForm[Form],
    notification_id: Id,
) -> Response:
    return await _change(render, notification_id, notifications.notify.cancel, "ok.cancelled", "bad.not_cancellable")


@router.post("/{notification_id:uuid}/restore")
async def restore(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    _form: HxForm[Form],
    notification_id: Id,
) -> Response:
    return await _change(render, notification_id, notifications.notify.restore, "ok.restored", "bad.not_restorable")


@router.post("/{notification_id:uuid}/retry")
async def retry(
    render: Rendering,
    _user: SignedIn,
    notifications: NotificationsService,
    _form: HxForm[Form],
    notification_id: Id,
) -> Response:
    return await _change(render, notification_id, notifications.notify.retry, "ok.retried", "bad.not_retryable")


async def _change(
    render: Render, notification_id: UUID, change: Callable[[Browser, UUID], Awaitable[object]], done: str, refused: str
) -> Response:
    """Change a notification, and lead to its page with what came of it."""
    flash = done
    try:
        await change(render.browser, notification_id)
    except Conflict:
        flash = refused
    return render.redirect(f"/notifications/{notification_id}", flash=flash)
