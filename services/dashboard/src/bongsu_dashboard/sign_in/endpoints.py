"""`/login`, `/register`, `/verify`, `/logout`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.errors import SignInRequired
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.pages.addresses import safe_path, with_next
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.sign_in.schemas import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    RegisterForm,
    ResendForm,
    SignInForm,
    VerifyForm,
)
from bongsu_dashboard.sign_in.service import SignIn

CODE = "/login/code"

router = APIRouter(include_in_schema=False)
sign_out_router = APIRouter(include_in_schema=False)

SignInService = Annotated[SignIn, Provided(SignIn)]
Next = Annotated[str | None, Query(alias="next")]


@router.get("/login")
async def show_login(
    render: Rendering, user: MaybeSignedIn, sign_in: SignInService, next_path: Next = None, error: str | None = None
) -> Response:
    to = render.page_of(safe_path(next_path))
    if user is not None:
        return render.redirect(to)
    trouble = error
    if error not in (None, "session_ended"):
        trouble = f"provider_{error}" if f"form.provider_{error}" in render.texts else "provider_failed"
    return await _login_page(render, sign_in, Draft(), to, trouble=trouble)


@router.post("/login")
async def log_in(render: Rendering, sign_in: SignInService, form: HxDraft[SignInForm]) -> Response:
    to = safe_path(form.value("next", "/"))
    try:
        reply = await sign_in.sign_in(render.browser, form.accept())
    except FormError as error:
        return await _login_page(render, sign_in, form.refused_by(error), to, status_of(error))
    return render.pass_on(render.redirect(with_next(CODE, to) if reply.asks_code else to), reply.cookies)


async def _login_page(
    render: Render,
    sign_in: SignIn,
    form: Draft[SignInForm],
    next_path: str,
    status: int = 200,
    *,
    trouble: str | None = None,
) -> Response:
    return render(
        "sign_in/login.html",
        fragment="sign_in/_login_form.html",
        status=status,
        form=form,
        next=next_path,
        trouble=trouble,
        providers=await sign_in.list_providers(),
    )


@router.get("/register")
async def show_register(render: Rendering, user: MaybeSignedIn) -> Response:
    return render.redirect("/") if user is not None else _register_page(render, Draft())


@router.post("/register")
async def register(render: Rendering, sign_in: SignInService, form: HxDraft[RegisterForm]) -> Response:
    try:
        wanted = form.accept()
        cookies = await sign_in.register(render.browser, wanted)
    except FormError as error:
        return _register_page(render, form.refused_by(error), status_of(error))
    # No redirect: the next page names the address, which must not enter the browser's history.
    return render.pass_on(_sent_page(render, wanted.email, again=False), cookies)


@router.post("/register/resend")
async def resend(render: Rendering, sign_in: SignInService, form: HxForm[ResendForm]) -> Response:
    await sign_in.resend(render.browser, form.email)
    return _sent_page(render, form.email, again=True)


def _register_page(render: Render, form: Draft[RegisterForm], status: int = 200) -> Response:
    return render(
        "sign_in/register.html",
        fragment="sign_in/_register_form.html",
        status=status,
        form=form,
        min_password=MIN_PASSWORD_CHARS,
        max_password=MAX_PASSWORD_CHARS,
    )


def _sent_page(render: Render, email: str, *, again: bool) -> Response:
    return render("sign_in/sent.html", fragment="sign_in/_sent.html", email=email, again=again)


@router.get("/verify")
async def show_verify(render: Rendering, token: str = "") -> Response:
    """A GET verifies nothing, because mail scanners follow links."""
    if not token or len(token) > 512:
        return render("sign_in/verify_useless.html", status=400)
    signed_up_here = render.pages.token_cookies.registration in render.request.cookies
    return _verify_page(render, Draft(), token, asks_password=not signed_up_here)


@router.post("/verify")
async def verify(render: Rendering, sign_in: SignInService, form: HxDraft[VerifyForm]) -> Response:
    try:
        cookies = await sign_in.verify(render.browser, form.accept())
    except FormError as error:
        return _verify_page(
            render, form.refused_by(error), form.value("token"), asks_password=True, status=status_of(error)
        )
    return render.pass_on(render.redirect("/login", flash="ok.verified"), cookies)


def _verify_page(
    render: Render, form: Draft[VerifyForm], token: str, *, asks_password: bool, status: int = 200
) -> Response:
    return render(
        "sign_in/verify.html",
        fragment="sign_in/_verify_form.html",
        status=status,
        form=form,
        verify_token=token,
        asks_password=asks_password,
        min_password=MIN_PASSWORD_CHARS,
        max_password=MAX_PASSWORD_CHARS,
    )


@sign_out_router.get("/logout")
async def show_logout(render: Rendering, user: MaybeSignedIn) -> Response:
    return render.redirect("/login") if user is None else render("sign_in/logout.html")


@sign_out_router.post("/logout")
async def log_out(render: Rendering, sign_in: SignInService, _form: HxForm[Form]) -> Response:
    response = render.redirect("/login", flash="ok.signed_out")
    try:
        cookies = await sign_in.sign_out(render.browser)
    except SignInRequired:
        # Auth clears no cookies of a session that has ended, so the dashboard does.
        tokens = render.pages.token_cookies
        tokens.clear(response, tokens.access)
        tokens.clear(response, tokens.refresh)
        return response
    return render.pass_on(response, cookies)
