"""Dependencies of endpoints that answer with pages.

async def list_guilds(render: Rendering, user: SignedIn) -> Response:
    return render("guilds/list.html", …)
"""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Path, Request

from bongsu.identity.scopes import Role
from bongsu.runtime.dependencies import Provided, find
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.errors import ConfirmationRequired, CrossSiteRequest, RoleRequired, SignInRequired, StaleForm
from bongsu_dashboard.forms.hx_form import CSRF_FIELD, FORM_TYPE
from bongsu_dashboard.pages.guards import CSRF_HEADER
from bongsu_dashboard.pages.rendering import Pages, Render

CONFIRMED_FOR_S: Final = 8 * 60
"""Less than the ten minutes of auth, so that there is time to fill in the form."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def render_of(request: Request) -> Render:
    """Return the renderer of a request."""
    existing: Render | None = getattr(request.state, "render", None)
    if existing is None:
        existing = request.state.render = Render(request, find(request.app, Pages))
    return existing


async def render(request: Request) -> Render:  # not `def`: FastAPI would run it in a thread
    """Return the renderer of this request."""
    return render_of(request)


Rendering = Annotated[Render, Depends(render)]


async def current_user(render: Rendering, accounts: Annotated[Accounts, Provided(Accounts)]) -> User | None:
    """Return the signed-in user, if any."""
    if render.user is None:
        render.user = await accounts.find_user(render.browser)
    return render.user


MaybeSignedIn = Annotated[User | None, Depends(current_user)]


async def current_user_or_sign_in(user: MaybeSignedIn) -> User:
    """Return the signed-in user.

    :raises SignInRequired: no session; the browser is redirected to renew it or to sign in.
    """
    if user is None:
        raise SignInRequired
    return user


SignedIn = Annotated[User, Depends(current_user_or_sign_in)]
GuildId = Annotated[int, Path(ge=0, lt=2**64)]
"""The `{guild_id}` of an address."""


async def require_confirmation(render: Rendering, _user: SignedIn) -> None:
    """Require a recent authentication before a page shows the form of a change that auth would refuse without it.

    :raises ConfirmationRequired: it was too long ago.
    """
    if render.browser.auth_time < time.time() - CONFIRMED_FOR_S:
        raise ConfirmationRequired


def require_role(role: Role) -> Callable[[User], Awaitable[User]]:
    """Return a dependency that admits users with this role or a higher one.

    :raises RoleRequired: the user's role is lower.
    """

    async def user_with_role(user: SignedIn) -> User:
        if not user.role.includes(role):
            raise RoleRequired(role)
        return user

    return user_with_role


async def require_own_form(request: Request, render: Rendering) -> None:
    """Require that a mutation comes from a page of this site, in this browser and session.

    :raises CrossSiteRequest: another origin.
    :raises StaleForm: a missing or foreign CSRF token.
    """
    if request.method in SAFE_METHODS:
        return
    if not render.is_own_form:
        raise CrossSiteRequest
    if not render.is_token(await _csrf_token(request)):
        raise StaleForm


async def require_own_form_of_user(request: Request, render: Rendering) -> None:
    """Apply `require_own_form` to signed-in users; a form of an expired session leads to the sign-in.

    :raises SignInRequired: the session has expired.
    :raises CrossSiteRequest, StaleForm: as `require_own_form`.
    """
    if request.method not in SAFE_METHODS and render.browser.access_token is None:
        raise SignInRequired
    await require_own_form(request, render)


async def _csrf_token(request: Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        return ""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    values = fields.get(CSRF_FIELD, [])
    return values[0] if len(values) == 1 else ""
