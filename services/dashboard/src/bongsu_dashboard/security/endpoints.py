"""`/forgot`, `/reset`, `/account/password`, `/account/email` and `/account/confirm`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.forms import Draft, FormError, HxDraft
from bongsu_dashboard.pages.addresses import safe_path
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering, SignedIn, require_confirmation
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.security.schemas import (
    ConfirmEmailForm,
    ConfirmForm,
    EmailForm,
    ForgotForm,
    PasswordForm,
    ResetForm,
)
from bongsu_dashboard.security.service import Security
from bongsu_dashboard.sign_in.schemas import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS

router = APIRouter(include_in_schema=False)
account_router = APIRouter(prefix="/account", include_in_schema=False)

SecurityService = Annotated[Security, Provided(Security)]
Next = Annotated[str | None, Query(alias="next")]


@router.get("/forgot")
async def show_forgot(render: Rendering, _user: MaybeSignedIn) -> Response:
    return _forgot_page(render, Draft())


@router.post("/forgot")
async def forget(render: Rendering, security: SecurityService, form: HxDraft[ForgotForm]) -> Response:
    try:
        wanted = form.accept()
        await security.forget_password(render.browser, wanted.email)
    except FormError as error:
        return _forgot_page(render, form.refused_by(error), status_of(error))
    # No redirect: the next page names the address, which must not enter the browser's history.
    return render("security/forgot_sent.html", fragment="security/_forgot_sent.html", email=wanted.email)


def _forgot_page(render: Render, form: Draft[ForgotForm], status: int = 200) -> Response:
    return render("security/forgot.html", fragment="security/_forgot_form.html", status=status, form=form)


@router.get("/reset")
async def show_reset(render: Rendering, token: str = "") -> Response:
    if not token or len(token) > 512:
        return render("security/link_useless.html", status=400)
    return _reset_page(render, Draft(), token)


@router.post("/reset")
async def reset(render: Rendering, security: SecurityService, form: HxDraft[ResetForm]) -> Response:
    try:
        await security.reset_password(render.browser, form.accept())
    except FormError as error:
        return _reset_page(render, form.refused_by(error), form.value("token"), status_of(error))
    return render.redirect("/login", flash="ok.password_reset")


def _reset_page(render: Render, form: Draft[ResetForm], token: str, status: int = 200) -> Response:
    return render(
        "security/reset.html",
        fragment="security/_reset_form.html",
        status=status,
        form=form,
        reset_token=token,
        min_password=MIN_PASSWORD_CHARS,
        max_password=MAX_PASSWORD_CHARS,
    )


@account_router.get("/password", dependencies=[Depends(require_confirmation)])
async def show_password(render: Rendering, user: SignedIn) -> Response:
    return _password_page(render, user, Draft())


@account_router.post("/password")
async def change_password(
    render: Rendering, user: SignedIn, security: SecurityService, form: HxDraft[PasswordForm]
) -> Response:
    try:
        await security.change_password(render.browser, form.accept())
    except FormError as error:
        return _password_page(render, user, form.refused_by(error), status_of(error))
    return render.redirect("/account", flash="ok.password_changed")


def _password_page(render: Render, user: User, form: Draft[PasswordForm], status: int = 200) -> Response:
    return render(
        "security/password.html",
        fragment="security/_password_form.html",
        status=status,
        form=form,
        account=user,
        min_password=MIN_PASSWORD_CHARS,
        max_password=MAX_PASSWORD_CHARS,
    )


@account_router.get("/email", dependencies=[Depends(require_confirmation)])
async def show_email(render: Rendering, user: SignedIn) -> Response:
    return _email_page(render, user, Draft())


@account_router.post("/email")
async def change_email(
    render: Rendering, user: SignedIn, security: SecurityService, form: HxDraft[EmailForm]
) -> Response:
    try:
        wanted = form.accept()
        await security.change_email(render.browser, wanted.email)
    except FormError as error:
        return _email_page(render, user, form.refused_by(error), status_of(error))
    return render("security/email_sent.html", fragment="security/_email_sent.html", email=wanted.email)


def _email_page(render: Render, user: User, form: Draft[EmailForm], status: int = 200) -> Response:
    return render("security/email.html", fragment="security/_email_form.html", status=status, form=form, account=user)


@router.get("/email/confirm")
async def show_confirm_email(render: Rendering, token: str = "") -> Response:
    """A GET confirms nothing, because mail scanners follow links."""
    if not token or len(token) > 512:
        return render("security/email_useless.html", status=400)
    return render("security/confirm_email.html", email_token=token)


@router.post("/email/confirm")
async def confirm_email(render: Rendering, security: SecurityService, form: HxDraft[ConfirmEmailForm]) -> Response:
    try:
        await security.confirm_email(render.browser, form.accept().token)
    except FormError as error:
        return render("security/email_useless.html", status=status_of(error))
    return render.redirect("/account", flash="ok.email_changed")


@account_router.get("/confirm")
async def show_confirm(
    render: Rendering, user: SignedIn, accounts: Annotated[Accounts, Provided(Accounts)], next_path: Next = None
) -> Response:
    return await _confirm_page(render, user, accounts, Draft(), safe_path(next_path, "/account"))


@account_router.post("/confirm")
async def confirm(
    render: Rendering,
    user: SignedIn,
    security: SecurityService,
    accounts: Annotated[Accounts, Provided(Accounts)],
    form: HxDraft[ConfirmForm],
) -> Response:
    """Confirm the identity of the signed-in user, and continue where a change required it."""
    to = safe_path(form.value("next"), "/account")
    try:
        token = await security.reauthenticate(render.browser, form.accept())
    except FormError as error:
        return await _confirm_page(render, user, accounts, form.refused_by(error), to, status_of(error))
    response = render.redirect(to)
    tokens = render.pages.token_cookies
    tokens.set(response, tokens.access, token.access_token, max_age_s=token.expires_in)
    return response


async def _confirm_page(
    render: Render, user: User, accounts: Accounts, form: Draft[ConfirmForm], next_path: str, status: int = 200
) -> Response:
    identities = [] if user.has_password or user.mfa_enabled else await accounts.list_identities(render.browser)
    return render(
        "security/confirm.html",
        fragment="security/_confirm_form.html",
        status=status,
        form=form,
        account=user,
        identities=identities,
        next=next_path,
    )
