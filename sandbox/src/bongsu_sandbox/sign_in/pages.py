"""The consent page of Google's and Kakao's stand-ins."""

from typing import Annotated, Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.pages.rendering import Pages, ProvidedPages
from bongsu_sandbox.people import PEOPLE, Person, find_person
from bongsu_sandbox.sign_in.requests import AuthorizationRequest, WrongRequest
from bongsu_sandbox.sign_in.service import SignIn

_PERSONA = "persona"


def create_consent_router(kind: type[SignIn], path: str) -> APIRouter:
    """Return the routes of a provider's consent page, at the address of its authorization endpoint."""
    router = APIRouter(include_in_schema=False)
    provided = Annotated[Any, Provided(kind)]

    @router.get(path)
    async def show_consent(request: Request, sign_in: provided, pages: ProvidedPages) -> Response:
        return _show(request, sign_in, pages, path)

    @router.post(path)
    async def decide(request: Request, sign_in: provided, pages: ProvidedPages) -> Response:
        """Take the decision: `persona`, `decision` (allow or deny), and with `choice` the optional scopes `granted`."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        return _decide(request, sign_in, pages, path, form)

    return router


def _show(request: Request, sign_in: SignIn, pages: Pages, path: str) -> Response:
    try:
        wanted = sign_in.read(request.query_params)
    except WrongRequest as error:
        return _refusal(request, sign_in, pages, error)
    person = _persona(request, sign_in)
    if wanted.prompt == "none":
        if person is not None and sign_in.grants.has_granted(person.number, wanted.scopes):
            return RedirectResponse(sign_in.allow(wanted, person, set()), status_code=303)
        return RedirectResponse(wanted.redirect_url(error="interaction_required"), status_code=303)
    return _page(request, sign_in, pages, wanted, path)


def _decide(request: Request, sign_in: SignIn, pages: Pages, path: str, form: dict[str, list[str]]) -> Response:
    try:
        wanted = sign_in.read(request.query_params)
    except WrongRequest as error:
        return _refusal(request, sign_in, pages, error)
    if form.get("decision") != ["allow"]:
        return RedirectResponse(wanted.denial_url(), status_code=303)
    person = _find(form.get(_PERSONA, [""])[-1])
    if person is None:
        return _page(request, sign_in, pages, wanted, path, is_person_missing=True)
    declined = {*sign_in.optional_scopes(wanted)} - {*form.get("granted", [])} if "choice" in form else set()
    answer = RedirectResponse(sign_in.allow(wanted, person, declined), status_code=303)
    answer.set_cookie(
        _cookie(sign_in), str(person.number), path=f"/sandbox/{sign_in.name}", httponly=True, samesite="lax"
    )
    return answer


def _persona(request: Request, sign_in: SignIn) -> Person | None:
    return _find(request.query_params.get(_PERSONA, request.cookies.get(_cookie(sign_in), "")))


def _find(number: str) -> Person | None:
    return find_person(int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None


def _cookie(sign_in: SignIn) -> str:
    return f"sandbox_{sign_in.name}_person"


def _page(  # noqa: PLR0913 - the page and what it shows
    request: Request,
    sign_in: SignIn,
    pages: Pages,
    wanted: AuthorizationRequest,
    path: str,
    *,
    is_person_missing: bool = False,
) -> Response:
    query = [(name, value) for name, value in parse_qsl(request.url.query, True) if name != _PERSONA]
    context = {
        "place": sign_in.name,
        "provider": sign_in.name,
        "people": PEOPLE,
        "person": _persona(request, sign_in),
        "wanted": wanted,
        "optional": sign_in.optional_scopes(wanted),
        "is_person_missing": is_person_missing,
        "here": f"{path}?{urlencode(query)}",
    }
    answer = pages.page(request, "consent.html", context, status_code=422 if is_person_missing else 200)
    allow_form_redirect(answer)
    return answer


def allow_form_redirect(answer: Response) -> None:
    """Let the page's form redirect to the application, and from there to wherever the sign-in began."""
    # Browsers hold each redirect after a form to `form-action`, and an app's last one may go to a scheme of its own.
    policy = answer.headers["Content-Security-Policy"]
    answer.headers["Content-Security-Policy"] = policy.replace("form-action 'self'; ", "")
    # With `no-referrer` a browser hides the origin of a form, even from the page's own site.
    answer.headers["Referrer-Policy"] = "same-origin"


def _refusal(request: Request, sign_in: SignIn, pages: Pages, error: WrongRequest) -> Response:
    context = {"place": sign_in.name, "provider": sign_in.name, "problem": str(error)}
    return pages.page(request, "consent-wrong.html", context, status_code=400)
