"""Error responses: a page for a browser, a notice for htmx, and the redirect to sign in again."""

import contextlib
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bongsu.runtime.dependencies import find
from bongsu.runtime.errors import Invalid, NotFound, ServiceError, TooLarge
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.problems import STATUS
from bongsu.runtime.routes import headers_of
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.errors import ConfirmationRequired, StaleForm, VerificationRefused
from bongsu_dashboard.forms.refusals import FormRefused, UnsupportedForm
from bongsu_dashboard.pages.addresses import with_next
from bongsu_dashboard.pages.cookies import MAX_RENEWALS, RENEWING_S
from bongsu_dashboard.pages.dependencies import SAFE_METHODS, current_user, render_of
from bongsu_dashboard.pages.rendering import PAGE_HEADERS, Render

log = get_logger(__name__)

RENEW: Final = "/auth/session/renew"
CONFIRM: Final = "/account/confirm"
SIGN_IN: Final = "/login"
RELINK_CODE: Final = "discord_relink_needed"
LINK_CODES: Final = frozenset({"discord_not_linked", RELINK_CODE, "not_linked"})
"""The errors of auth and of the bot that a linked Discord account resolves."""
_KINDS: Final[Mapping[int, str]] = {
    403: "forbidden",
    404: "not_found",
    405: "method",
    409: "conflict",
    413: "too_large",
    415: "unsupported",
    422: "invalid",
    429: "too_many",
    503: "unavailable",
}


_STATUS: Final[Mapping[type[ServiceError], int]] = {**STATUS, UnsupportedForm: 415, VerificationRefused: 400}


def status_of(error: ServiceError) -> int:
    """Return the status of an error's kind."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def add_failures(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type
    render = render_of(request)
    if error.code in LINK_CODES:
        return _ask_to_link(render, again=error.code == RELINK_CODE or getattr(error, "again", False))
    status = status_of(error)
    if error.code == ConfirmationRequired.code:
        return render.redirect(with_next(CONFIRM, render.here))
    if status == 401:
        return _redirect_to_sign_in(render)
    return await render_error(render, error, status)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    in_path = any(item["loc"][:1] == ("path",) for item in error.errors())
    refused = NotFound("Page not found") if in_path else Invalid("The address has an invalid parameter")
    return await render_error(render_of(request), refused, 404 if in_path else 422)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    cause = error.__cause__
    if isinstance(cause, TooLarge):
        return await render_error(render_of(request), cause, 413)
    refused = ServiceError(str(error.detail))
    return await render_error(render_of(request), refused, error.status_code, headers_of(request, error))


async def render_error(
    render: Render, error: ServiceError, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Render an error as a page, or as a notice above the page that htmx is on."""
    with contextlib.suppress(ServiceError):
        # For the menu only: the route of an unknown address has looked up no user.
        await current_user(render, find(render.request.app, Accounts))
    metrics: Metrics = render.request.app.state.metrics
    metrics.errors.labels(metrics.service, error.code).inc()
    given = dict(headers or {})
    if error.retry_after_s is not None:
        given["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if render.is_partial:
        given |= {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML"}
    return render(
        "failures/page.html",
        fragment="failures/_notice.html",
        status=status,
        headers=given,
        kind="stale" if isinstance(error, StaleForm) else _KINDS.get(status, "internal"),
        status_code=status,
        code=error.code,
        problems=error.problems if isinstance(error, FormRefused) else (),
    )


def _ask_to_link(render: Render, *, again: bool) -> Response:
    """Render the prompt to link Discord; a form or a fragment goes to the page that has it."""
    if render.is_htmx or render.request.method not in SAFE_METHODS:
        return render.redirect("/guilds")
    return render("guilds/link.html", again=again)


def _redirect_to_sign_in(render: Render) -> Response:
    """Redirect to auth to renew the session, since only auth receives the refresh cookie, and from there to sign in.

    A form is sent along and comes back, by 307, which htmx follows too. A short-lived cookie counts the redirects, so
    that they end; several tabs that are restored together make several.
    """
    cookies, request = render.pages.cookies, render.request
    counted = request.cookies.get(cookies.renewing, "")
    renewals = int(counted) if counted.isdecimal() and counted.isascii() and len(counted) < 4 else 0
    if renewals >= MAX_RENEWALS:
        return render.redirect(with_next(SIGN_IN, render.here), status=401 if render.is_htmx else 303)
    response: Response
    if request.method in SAFE_METHODS:
        response = render.redirect(with_next(RENEW, render.here), status=401 if render.is_htmx else 303)
    else:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        response = RedirectResponse(with_next(RENEW, path), status_code=307, headers=PAGE_HEADERS)
    cookies.set(response, cookies.renewing, str(renewals + 1), max_age_s=RENEWING_S)
    return response


class LastResort:
    """ASGI middleware: the error page for an unhandled exception."""

    def __init__(self, app: ASGIApp, *, page: str) -> None:
        self.app = app
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def track_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, track_start)
        except TooLarge:
            raise
        except Exception as error:
            log.exception("request.crashed", error=type(error).__name__)
            if started:
                raise
            html = self.page.replace("REQUEST-ID", str(scope.get("state", {}).get("request_id", "")))
            await HTMLResponse(html, status_code=500, headers={"Cache-Control": "no-store"})(scope, receive, send)
