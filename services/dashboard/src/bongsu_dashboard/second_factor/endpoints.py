"""`/login/code` and `/account/two-step`."""

from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Query, Response
from markupsafe import Markup

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Conflict
from bongsu_dashboard.errors import CodeTooLate
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.pages.addresses import safe_path, with_next
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn, require_confirmation
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.security.schemas import CodeForm, EnableForm
from bongsu_dashboard.security.service import Security

router = APIRouter(include_in_schema=False)
account_router = APIRouter(prefix="/account/two-step", include_in_schema=False)

SecurityService = Annotated[Security, Provided(Security)]
Next = Annotated[str | None, Query(alias="next")]
HOME = "/account/two-step"


@router.get("/login/code")
async def show_code(render: Rendering, next_path: Next = None) -> Response:
    to = safe_path(next_path)
    if render.pages.token_cookies.mfa not in render.request.cookies:
        return render.redirect(with_next("/login", to))
    return _code_page(render, Draft(), to)


@router.post("/login/code")
async def verify_code(render: Rendering, security: SecurityService, form: HxDraft[CodeForm]) -> Response:
    to = safe_path(form.value("next", "/"))
    try:
        cookies = await security.verify_code(render.browser, form.accept().code)
    except CodeTooLate:
        return render.redirect(with_next("/login", to), flash="note.code_too_late")
    except FormError as error:
        return _code_page(render, form.refused_by(error), to, status_of(error))
    return render.pass_on(render.redirect(to), cookies)


def _code_page(render: Render, form: Draft[CodeForm], next_path: str, status: int = 200) -> Response:
    return render(
        "second_factor/code.html",
        fragment="second_factor/_code_form.html",
        status=status,
        form=form,
        next=next_path,
    )


@account_router.get("", dependencies=[Depends(require_confirmation)])
async def show_second_factor(render: Rendering, _user: SignedIn, security: SecurityService) -> Response:
    factor = await security.show_second_factor(render.browser)
    return render("second_factor/second_factor.html", factor=factor)


@account_router.post("/start")
async def start(render: Rendering, _user: SignedIn, security: SecurityService, _form: HxForm[Form]) -> Response:
    try:
        made = await security.start_second_factor(render.browser)
    except Conflict:
        return render.redirect(HOME)
    return _enable_page(render, Draft(), made.secret, made.otpauth_uri)


@account_router.post("/enable")
async def enable(render: Rendering, _user: SignedIn, security: SecurityService, form: HxDraft[EnableForm]) -> Response:
    try:
        codes = await security.enable_second_factor(render.browser, form.accept().code)
    except FormError as error:
        secret, uri = form.value("secret"), form.value("uri")
        if form.problem("secret") or form.problem("uri"):  # not from our page
            return render.redirect(HOME)
        return _enable_page(render, form.refused_by(error), secret, uri, status_of(error))
    except Conflict:
        return render.redirect(HOME)
    return _codes_page(render, codes, flash="ok.mfa_enabled")


@account_router.post("/codes")
async def replace_codes(render: Rendering, _user: SignedIn, security: SecurityService, _form: HxForm[Form]) -> Response:
    try:
        codes = await security.replace_recovery_codes(render.browser)
    except Conflict:
        return render.redirect(HOME)
    return _codes_page(render, codes)


@account_router.post("/disable")
async def disable(render: Rendering, _user: SignedIn, security: SecurityService, _form: HxForm[Form]) -> Response:
    try:
        await security.disable_second_factor(render.browser)
    except Conflict:
        return render.redirect(HOME)
    return render.redirect("/account", flash="ok.mfa_disabled")


def _enable_page(render: Render, form: Draft[EnableForm], secret: str, uri: str, status: int = 200) -> Response:
    # Presentation attributes only: the content security policy allows no inline styles.
    qr = Markup(segno.make(uri, error="m", micro=False).svg_inline(border=2, light="#fff", omitsize=True))  # noqa: S704 - made by segno
    groups = [secret[at : at + 4] for at in range(0, len(secret), 4)]
    return render("second_factor/enable.html", status=status, form=form, secret=secret, uri=uri, groups=groups, qr=qr)


def _codes_page(render: Render, codes: list[str], flash: str | None = None) -> Response:
    # No redirect: no other response contains the codes.
    return render("second_factor/codes.html", codes=codes, flash=flash)
