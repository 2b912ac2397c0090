"""`/notifications`: the feed, one of it, and a test."""

import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from bongsu.runtime.errors import Conflict, Forbidden, Invalid
from bongsu_dashboard.forms import Draft, FieldProblem, FieldsRefused, HxDraft, HxForm
from bongsu_dashboard.notifications.notification import STATUSES
from bongsu_dashboard.notifications.port import Notifications
from bongsu_dashboard.notifications.schemas import SendForm
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn
from bongsu_dashboard.pages.rendering import Render

Id = Annotated[UUID, Path()]


class ActForm(BaseModel):
    """Nothing but the form's own token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def create_router(notifications: Notifications) -> APIRouter:
    """The routes, for who is signed in."""
    router = APIRouter(prefix="/notifications", include_in_schema=False)

    @router.get("")
    async def feed(
        render: Rendering,
        _user: SignedIn,
        status: str | None = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        status = status if status in STATUSES else None
        page = await notifications.listed(render.browser, status=status, after=_id_or_none(after))
        return render(
            "notifications/feed.html",
            fragment="notifications/_feed.html",
            page=page,
            chosen=status,
            is_first=after is None,
            statuses=("sent", "delivered", "queued", "retry_wait", "failed", "cancelled"),
        )

    _add_sending(router, notifications)

    @router.get("/{notification_id}")
    async def detail(render: Rendering, _user: SignedIn, notification_id: Id) -> Response:
        found = await notifications.find(render.browser, notification_id)
        return render("notifications/detail.html", fragment="notifications/_detail.html", item=found)

    @router.post("/{notification_id}/cancel")
    async def cancel(render: Rendering, _user: SignedIn, _form: HxForm[ActForm], notification_id: Id) -> Response:
        try:
            await notifications.cancel(render.browser, notification_id)
        except Conflict:
            return render.redirect(f"/notifications/{notification_id}", flash="bad.not_cancellable")
        return render.redirect(f"/notifications/{notification_id}", flash="ok.cancelled")

    @router.post("/{notification_id}/retry")
    async def retry(render: Rendering, _user: SignedIn, _form: HxForm[ActForm], notification_id: Id) -> Response:
        try:
            await notifications.retry(render.browser, notification_id)
        except Conflict:
            return render.redirect(f"/notifications/{notification_id}", flash="bad.not_retryable")
        return render.redirect(f"/notifications/{notification_id}", flash="ok.retried")

    return router


def _add_sending(router: APIRouter, notifications: Notifications) -> None:
    def page(render: Render, form: Draft[SendForm], status: int = 200) -> Response:
        return render(
            "notifications/new.html",
            fragment="notifications/_send_form.html",
            status=status,
            form=form,
            attempt=form.value("attempt") or secrets.token_urlsafe(24),
        )

    @router.get("/new")
    async def new(render: Rendering, _user: SignedIn) -> Response:
        return page(render, Draft())

    @router.post("")
    async def send(render: Rendering, _user: SignedIn, form: HxDraft[SendForm]) -> Response:
        if form.model is None:
            return page(render, form, 422)
        wanted = form.model
        try:
            made = await notifications.send(
                render.browser, email=wanted.email, subject=wanted.subject, text=wanted.text, key=wanted.attempt
            )
        except Forbidden:
            return page(render, form.refused(FieldProblem("email", "on_trial")), 403)
        except Invalid as error:
            if error.code == "idempotency_mismatch":
                # The form was changed after it had been sent: that is another mail.
                values = {name: value for name, value in form.values.items() if name != "attempt"}
                return page(render, Draft(None, values, (FieldProblem("", "sent_before"),)), 409)
            return page(render, form.refused_by(FieldsRefused(error)), 422)
        return render.redirect(f"/notifications/{made.id}", flash="ok.sent")


def _id_or_none(text: str | None) -> str | None:
    try:
        return str(UUID(text)) if text is not None else None
    except ValueError:
        return None
