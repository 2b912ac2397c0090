"""`/login`, `/register`, `/verify`, `/logout`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from bongsu.runtime.errors import Forbidden, Invalid, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.accounts.port import Accounts
from bongsu_dashboard.forms import Draft, FieldProblem, HxDraft, HxForm
from bongsu_dashboard.pages.addresses import safe_path
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.sign_in.schemas import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    RegisterForm,
    ResendForm,
    SignInForm,
    SignOutForm,
    VerifyForm,
)

Next = Annotated[str | None, Query(alias="next")]


def create_router(accounts: Accounts) -> APIRouter:
    """The routes for everyone; who is signed in already is sent on."""
    router = APIRouter(include_in_schema=False)
    _add_sign_in(router, accounts)
    _add_register(router, accounts)
    _add_verify(router, accounts)
    return router


def create_sign_out_router(accounts: Accounts) -> APIRouter:
    """The routes for who is signed in."""
    router = APIRouter(include_in_schema=False)
    _add_sign_out(router, accounts)
    return router


def _add_sign_in(router: APIRouter, accounts: Accounts) -> None:
    async def page(render: Render, form: Draft[SignInForm], next_path: str, status: int = 200) -> Response:
        return render(
            "sign_in/login.html",
            fragment="sign_in/_login_form.html",
            status=status,
            form=form,
            next=next_path,
            providers=await accounts.providers(),
        )

    @router.get("/login")
    async def login(
        render: Rendering, user: MaybeSignedIn, next_path: Next = None, error: str | None = None
    ) -> Response:
        to = safe_path(next_path)
        if user is not None:
            return render.redirect(to)
        form: Draft[SignInForm] = Draft()
        if error is not None:
            kind = f"provider_{error}" if f"form.provider_{error}" in render.words else "provider_failed"
            form = form.refused(FieldProblem("", kind))
        return await page(render, form, to)

    @router.post("/login")
    async def sign_in(render: Rendering, form: HxDraft[SignInForm]) -> Response:
        to = safe_path(form.value("next", "/"))
        if form.model is None:
            return await page(render, form, to, 422)
        password = form.model.password.get_secret_value()
        try:
            cookies = await accounts.sign_in(render.browser, email=form.model.email, password=password)
        except (Unauthorised, Invalid, Forbidden, TooMany) as error:
            problem, status = _sign_in_problem(error)
            return await page(render, form.refused(problem), to, status)
        return render.pass_on(render.redirect(to), cookies)


def _sign_in_problem(error: ServiceError) -> tuple[FieldProblem, int]:
    if isinstance(error, TooMany):
        return FieldProblem("", "too_many_logins", {"seconds": round(error.retry_after_s or 60)}), 429
    if isinstance(error, Forbidden):
        return FieldProblem("", "second_step"), 403
    # An input that auth does not take is an address or a password that nobody has.
    return FieldProblem("", "login_refused"), 401


def _add_register(router: APIRouter, accounts: Accounts) -> None:
    def page(render: Render, form: Draft[RegisterForm], status: int = 200) -> Response:
        return render(
            "sign_in/register.html",
            fragment="sign_in/_register_form.html",
            status=status,
            form=form,
            min_password=MIN_PASSWORD_CHARS,
            max_password=MAX_PASSWORD_CHARS,
        )

    @router.get("/register")
    async def register_page(render: Rendering, user: MaybeSignedIn) -> Response:
        return render.redirect("/") if user is not None else page(render, Draft())

    @router.post("/register")
    async def register(render: Rendering, form: HxDraft[RegisterForm]) -> Response:
        if form.model is None:
            return page(render, form, 422)
        password = form.model.password.get_secret_value()
        if problem := _password_problem(password, form.model.email):
            return page(render, form.refused(problem), 422)
        try:
            cookies = await accounts.register(
                render.browser, email=form.model.email, password=password, name=form.model.name or None
            )
        except Invalid as error:
            return page(render, form.refused_by(error), 422)
        # No redirect: the next page names the address, which belongs in nobody's history.
        sent = render("sign_in/sent.html", fragment="sign_in/_sent.html", email=form.model.email, again=False)
        return render.pass_on(sent, cookies)

    @router.post("/register/resend")
    async def resend(render: Rendering, form: HxForm[ResendForm]) -> Response:
        await accounts.resend(render.browser, form.email)
        return render("sign_in/sent.html", fragment="sign_in/_sent.html", email=form.email, again=True)


def _password_problem(password: str, email: str) -> FieldProblem | None:
    if len(password) < MIN_PASSWORD_CHARS:
        return FieldProblem("password", "too_short", {"min_length": MIN_PASSWORD_CHARS})
    if len(password) > MAX_PASSWORD_CHARS:
        return FieldProblem("password", "too_long", {"max_length": MAX_PASSWORD_CHARS})
    if password.strip().casefold() in (email.casefold(), email.partition("@")[0].casefold()):
        return FieldProblem("password", "is_the_address")
    return None


def _add_verify(router: APIRouter, accounts: Accounts) -> None:
    def page(
        render: Render, form: Draft[VerifyForm], token: str, *, asks_password: bool, status: int = 200
    ) -> Response:
        return render(
            "sign_in/verify.html",
            fragment="sign_in/_verify_form.html",
            status=status,
            form=form,
            verify_token=token,
            asks_password=asks_password,
        )

    @router.get("/verify")
    async def verify_page(render: Rendering, token: str = "") -> Response:
        # Nothing is proven by a GET: mail scanners follow links. The cookie tells whether this browser signed up.
        elsewhere = render.pages.token_cookies.registration not in render.request.cookies
        if not token or len(token) > 512:
            return render("sign_in/verify_useless.html", status=400)
        return page(render, Draft(), token, asks_password=elsewhere)

    @router.post("/verify")
    async def verify(render: Rendering, form: HxDraft[VerifyForm]) -> Response:
        token = form.value("token")
        if form.model is None:
            return page(render, form, token, asks_password=True, status=422)
        password = form.model.password.get_secret_value() or None
        try:
            cookies = await accounts.verify(render.browser, token, password)
        except ServiceError as error:
            if error.code == "password_required":
                asked = form.refused(FieldProblem("password", "missing")) if "password" in form.values else form
                return page(render, asked, token, asks_password=True, status=422)
            if error.code == "verification_refused" or isinstance(error, Invalid):
                refused = form.refused(FieldProblem("", "verification_refused"))
                return page(render, refused, token, asks_password=True, status=400)
            raise
        return render.pass_on(render.redirect("/login", flash="ok.verified"), cookies)


def _add_sign_out(router: APIRouter, accounts: Accounts) -> None:
    @router.get("/logout")
    async def sign_out_page(render: Rendering, user: MaybeSignedIn) -> Response:
        return render.redirect("/login") if user is None else render("sign_in/logout.html")

    @router.post("/logout")
    async def sign_out(render: Rendering, _form: HxForm[SignOutForm]) -> Response:
        response = render.redirect("/login", flash="ok.signed_out")
        tokens = render.pages.token_cookies
        try:
            cookies = await accounts.sign_out(render.browser)
        except (Unauthorised, Forbidden):
            # The session has ended already; what is left of it here goes, too.
            tokens.clear(response, tokens.access)
            tokens.clear(response, tokens.refresh)
            return response
        return render.pass_on(response, cookies)
