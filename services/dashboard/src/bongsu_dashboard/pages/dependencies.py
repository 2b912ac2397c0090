"""What pages depend on, and nothing but pages: who sees them, and how they are answered.

async def guilds(render: Rendering, user: SignedIn) -> Response:
    return render("guilds/list.html", …)
"""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from bongsu.identity.scopes import Role
from bongsu.runtime.dependencies import Provided, find
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.errors import CrossSiteRequest, RoleRequired, SignInRequired
from bongsu_dashboard.forms.hx_form import CSRF_FIELD, FORM_TYPE
from bongsu_dashboard.pages.guards import CSRF_HEADER
from bongsu_dashboard.pages.rendering import Pages, Render

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def render(request: Request) -> Render:
    """What answers this request with pages."""
    made: Render | None = getattr(request.state, "render", None)
    if made is None:
        made = Render(request, find(request.app, Pages))
        request.state.render = made
    return made


Rendering = Annotated[Render, Depends(render)]


async def current_user(render: Rendering, accounts: Annotated[Accounts, Provided(Accounts)]) -> User | None:
    """Return the signed-in user, if any."""
    if render.user is None:
        render.user = await accounts.find_user(render.browser)
    return render.user


MaybeSignedIn = Annotated[User | None, Depends(current_user)]


async def current_user_or_sign_in(user: MaybeSignedIn) -> User:
    """Whoever is signed in.

    :raises SignInRequired: nobody is; the browser is sent to renew its session, and if it has none, to sign in.
    """
    if user is None:
        raise SignInRequired
    return user


SignedIn = Annotated[User, Depends(current_user_or_sign_in)]


def require_role(role: Role) -> Callable[[User], Awaitable[User]]:
    """Whoever is signed in with this role or a higher one; others see that the page is not for them."""

    async def user_with_role(user: SignedIn) -> User:
        if not user.role.includes(role):
            raise RoleRequired(role)
        return user

    return user_with_role


async def require_own_form(request: Request, render: Rendering) -> None:
    """Whatever changes something comes from a page of ours, in this browser and this session.

    :raises CrossSiteRequest: it does not.
    """
    if request.method in SAFE_METHODS:
        return
    if not render.is_own_form or not render.is_token(await _sent_token(request)):
        raise CrossSiteRequest


async def require_own_form_of_user(request: Request, render: Rendering) -> None:
    """As `require_own_form`, for what only users do: a form of a session that ran out leads to the sign-in.

    :raises SignInRequired: the session ran out.
    :raises CrossSiteRequest: the form is not ours.
    """
    if request.method not in SAFE_METHODS and render.browser.access_token is None:
        raise SignInRequired
    await require_own_form(request, render)


async def _sent_token(request: Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        return ""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    values = fields.get(CSRF_FIELD, [])
    return values[0] if len(values) == 1 else ""
