"""`/account/delete`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.deletion.schemas import DeletionForm
from bongsu_dashboard.forms import Draft, FormError, HxDraft
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn, require_confirmation
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render
from bongsu_dashboard.security.service import Security

router = APIRouter(prefix="/account/delete", include_in_schema=False)


@router.get("", dependencies=[Depends(require_confirmation)])
async def show_deletion(render: Rendering, user: SignedIn) -> Response:
    return _deletion_page(render, user, Draft())


@router.post("")
async def delete_account(
    render: Rendering,
    user: SignedIn,
    security: Annotated[Security, Provided(Security)],
    form: HxDraft[DeletionForm],
) -> Response:
    try:
        await security.delete_account(render.browser, user, form.accept().typed)
    except FormError as error:
        return _deletion_page(render, user, form.refused_by(error), status_of(error))
    response = render.redirect("/login", flash="ok.account_deleted")
    tokens = render.pages.token_cookies
    for name in (tokens.access, tokens.refresh, tokens.device):
        tokens.clear(response, name)
    return response


def _deletion_page(render: Render, user: User, form: Draft[DeletionForm], status: int = 200) -> Response:
    return render("deletion/delete.html", status=status, form=form, account=user)
