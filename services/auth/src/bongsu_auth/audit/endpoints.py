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
) -> AuditPage:
    """List your actions and those that concern you, newest first. Managers see every user's."""
    user_id = None if caller.may(Permission.AUDIT_READ_ALL) else caller.user_id
    found, following = await service.list_entries(user_id, limit=limit, after=after)
    return AuditPage(
        items=[AuditOut.model_validate(entry) for entry in found],
        next=str(following) if following is not None else None,
    )
