"""`/auth/audit`."""

from typing import Annotated

from fastapi import APIRouter, Query

from bongsu.identity.scopes import Permission
from bongsu.runtime.problems import problems
from bongsu_auth.audit import service
from bongsu_auth.audit.schemas import AuditOut, AuditPage, AuditQuery
from bongsu_auth.sessions.backend import Account

router = APIRouter(prefix="/auth/audit", tags=["audit"])


@router.get("", responses=problems(401, 403, 422))
async def list_entries(caller: Account, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """List your actions and those that concern you, newest first. Managers see every user's.

    The address of another user who acted on your account is left out, except for managers.
    """
    sees_all = caller.may(Permission.AUDIT_READ_ALL)
    found, following = await service.list_entries(
        query,
        reader_id=None if sees_all or query.about_me else caller.user_id,
        subject_id=caller.user_id if query.about_me else query.subject_id,
    )
    emails = await service.find_addresses(found) if sees_all else {}
    reader_id = None if sees_all else caller.user_id
    items = [AuditOut.of(entry, reader_id=reader_id, emails=emails) for entry in found]
    return AuditPage(items=items, next=str(following) if following is not None else None)
