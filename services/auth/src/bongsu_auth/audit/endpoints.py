"""`/auth/audit`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from bongsu.identity.scopes import Permission
from bongsu.runtime.problems import problems
from bongsu_auth.audit import service
from bongsu_auth.audit.schemas import AuditOut, AuditPage
from bongsu_auth.sessions.backend import Account

router = APIRouter(prefix="/auth/audit", tags=["audit"])


@router.get("", responses=problems(401, 403, 422))
async def list_entries(
    caller: Account,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[UUID | None, Query(description="`next` of the previous page")] = None,
    *,
    about_me: Annotated[bool, Query(description="Only entries that concern your account")] = False,
) -> AuditPage:
    """List your actions and those that concern you, newest first. Managers see every user's.

    The address of another user who acted on your account is left out, except for managers.
    """
    sees_all = caller.may(Permission.AUDIT_READ_ALL)
    if about_me:
        found, following = await service.list_entries_about(caller.user_id, limit=limit, after=after)
    else:
        found, following = await service.list_entries(None if sees_all else caller.user_id, limit=limit, after=after)
    return AuditPage(
        items=[AuditOut.of(entry, reader_id=None if sees_all else caller.user_id) for entry in found],
        next=str(following) if following is not None else None,
    )
