"""`/auth/users`, for managers and administrators."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from bongsu.identity.dependencies import Caller
from bongsu.identity.errors import PermissionMissing
from bongsu.identity.scopes import Permission
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.api_keys.schemas import KeyOut, KeyPage
from bongsu_auth.errors import invalid_field
from bongsu_auth.sessions.backend import Account
from bongsu_auth.sessions.recent import require_recent
from bongsu_auth.users.schemas import UserOut, UserPage, UserPatch, UserQuery
from bongsu_auth.users.service import UserAdministration


def _require(permission: Permission) -> Callable[[Account], Awaitable[Caller]]:
    async def caller_with_permission(caller: Account) -> Caller:
        if not caller.may(permission):
            raise PermissionMissing(permission)
        return caller

    return caller_with_permission


Manager = Annotated[Caller, Depends(_require(Permission.USERS_READ))]
KeyManager = Annotated[Caller, Depends(_require(Permission.KEYS_REVOKE))]
Administration = Annotated[UserAdministration, Provided(UserAdministration)]
UserId = Annotated[UUID, Path()]

router = APIRouter(prefix="/auth/users", tags=["users"])


@router.get("", responses=problems(401, 403, 422))
async def list_users(
    _caller: Manager, administration: Administration, query: Annotated[UserQuery, Query()]
) -> UserPage:
    """List accounts, newest first. Managers only."""
    found, following = await administration.list_users(query)
    return UserPage(
        items=[UserOut.model_validate(user) for user in found], next=str(following) if following is not None else None
    )


@router.get("/{user_id}", responses=problems(401, 403, 404, 422))
async def get_user(user_id: UserId, _caller: Manager, administration: Administration) -> UserOut:
    """Get an account. Managers only."""
    return UserOut.model_validate(await administration.find(user_id))


@router.patch("/{user_id}", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
async def patch_user(
    user_id: UserId,
    body: UserPatch,
    caller: Manager,
    administration: Administration,
    database: Annotated[Database, Provided(Database)],
) -> UserOut:
    """Block or unblock an account (managers), give it a role, or approve it for sending (administrators).

    A block or a new role denies the account's tokens everywhere within seconds. Your own account is refused.
    """
    for name in body.model_fields_set:
        if getattr(body, name) is None:
            raise invalid_field(name, "Give a value, or leave it out")
    return UserOut.model_validate(await database.run(administration.change, user_id, body, caller.actor))


@router.delete("/{user_id}/mfa", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
async def reset_second_factor(
    user_id: UserId,
    caller: Manager,
    administration: Administration,
    database: Annotated[Database, Provided(Database)],
) -> None:
    """Turn off the second factor of an account whose owner has lost it. Administrators only.

    The owner is signed out everywhere and gets a mail. Check who asks you first. You need to have authenticated within
    the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    await database.run(administration.reset_second_factor, user_id, caller.actor)


@router.get("/{user_id}/api-keys", responses=problems(401, 403, 404, 422))
async def list_keys(
    user_id: UserId,
    _caller: KeyManager,
    administration: Administration,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="`next` of the previous page")] = None,
) -> KeyPage:
    """List the API keys of an account, newest first, without their secrets. Managers only."""
    found, following = await administration.list_keys(user_id, limit=limit, after=after)
    return KeyPage(
        items=[KeyOut.model_validate(key) for key in found], next=str(following) if following is not None else None
    )


@router.delete("/{user_id}/api-keys/{key_id}", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
async def revoke_key(
    user_id: UserId,
    key_id: Annotated[UUID, Path()],
    caller: KeyManager,
    administration: Administration,
    database: Annotated[Database, Provided(Database)],
) -> None:
    """Delete an API key of an account. It stops working everywhere within seconds. Managers only.

    The account must have a lower role than yours, unless you are an administrator.
    """
    await database.run(administration.revoke_key, user_id, key_id, caller.actor)
