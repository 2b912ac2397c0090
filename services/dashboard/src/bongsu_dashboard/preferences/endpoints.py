"""`/preferences`: the switches in every page's footer."""

import contextlib
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Request, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import ServiceError
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.accounts.user import Locale, User
from bongsu_dashboard.forms import HxForm
from bongsu_dashboard.forms.hx_form import read_form
from bongsu_dashboard.forms.refilling import refill
from bongsu_dashboard.forms.refusals import FormRefused
from bongsu_dashboard.pages.addresses import safe_path
from bongsu_dashboard.pages.dependencies import MaybeSignedIn, Rendering
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.preferences.schemas import LanguageForm, ThemeForm

LOCALES: Final[tuple[Locale, ...]] = get_args(Locale)

router = APIRouter(prefix="/preferences", include_in_schema=False)


@router.post("/theme")
async def set_theme(render: Rendering, form: HxForm[ThemeForm]) -> Response:
    return render.remember(render.redirect(render.here), theme=form.theme)


@router.post("/language")
async def set_language(
    render: Rendering,
    user: MaybeSignedIn,
    accounts: Annotated[Accounts, Provided(Accounts)],
    form: HxForm[LanguageForm],
) -> Response:
    await _store_language(render, user, accounts, form.language)
    return render.remember(render.redirect(render.here), language=form.language)


@router.post("/draft")
async def show_draft(
    request: Request,
    render: Rendering,
    user: MaybeSignedIn,
    accounts: Annotated[Accounts, Provided(Accounts)],
    form: Annotated[str, Query(max_length=100)],
    page: Annotated[str, Query(max_length=2000)],
) -> Response:
    """The page of a form in another language, with what is typed in the form. Nothing else is done with it.

    For browsers without scripts: the buttons of the language submit the form to this address.

    :param form: the ID of the form.
    :param page: the address of the page.
    """
    sent = await read_form(request)
    wanted = sent.pop("language", [])
    language = next((known for known in LOCALES if [known] == wanted), None)
    if language is None:
        raise FormRefused(sent, ())
    await _store_language(render, user, accounts, language)
    shown = await render.load_page(safe_path(page), language)
    shown.body = refill(bytes(shown.body).decode(), form, sent).encode()
    shown.headers["Content-Length"] = str(len(shown.body))
    return render.remember(shown, language=language)


async def _store_language(render: Render, user: User | None, accounts: Accounts, language: Locale) -> None:
    if user is not None and user.locale != language:
        # The page follows the choice even if auth cannot store it for the account's mails.
        with contextlib.suppress(ServiceError):
            await accounts.update_locale(render.browser, language)
