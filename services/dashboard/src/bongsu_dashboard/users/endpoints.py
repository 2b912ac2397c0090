"""`/users`, for managers and administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from bongsu.identity.scopes import Role
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Conflict, Forbidden
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.forms import Form, HxForm
from bongsu_dashboard.pages.dependencies import Rendering, require_role
from bongsu_dashboard.users.schemas import AccountForm
from bongsu_dashboard.users.service import Users

router = APIRouter(prefix="/users", include_in_schema=False)

UsersService = Annotated[Users, Provided(Users)]
Manager = Annotated[User, Depends(require_role(Role.MANAGER))]
Administrator = Annotated[User, Depends(require_role(Role.ADMINISTRATOR))]


@router.get("")
async def list_users(
    render: Rendering,
    _user: Manager,
    users: UsersService,
    q: Annotated[str, Query(max_length=320)] = "",
    after: UUID | None = None,
) -> Response:
    page = await users.list_accounts(render.browser, q=q.strip() or None, after=str(after) if after else None)
    return render("users/list.html", page=page, q=q)


@router.get("/{user_id}")
async def show_user(render: Rendering, user: Manager, users: UsersService, user_id: UUID) -> Response:
    account = await users.find_account(render.browser, user_id)
    return render(
        "users/user.html",
        account=account,
        is_own=account.id == user.id,
        is_administrator=user.role == Role.ADMINISTRATOR,
        roles=list(Role),
    )


@router.post("/{user_id}")
async def change_user(
    render: Rendering, _user: Manager, users: UsersService, form: HxForm[AccountForm], user_id: UUID
) -> Response:
    page = f"/users/{user_id}"
    try:
        await users.change_account(render.browser, user_id, form.model_dump(mode="json", exclude_none=True))
    except (Forbidden, Conflict):
        return render.redirect(page, flash="bad.user_not_changed")
    return render.redirect(page, flash="ok.user_changed")


@router.post("/{user_id}/second-factor/reset")
async def reset_second_factor(
    render: Rendering, _user: Administrator, users: UsersService, _form: HxForm[Form], user_id: UUID
) -> Response:
    page = f"/users/{user_id}"
    try:
        await users.reset_second_factor(render.browser, user_id)
    except Conflict:  # it is off already
        return render.redirect(page)
    return render.redirect(page, flash="ok.user_changed")
