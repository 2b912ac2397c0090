"""`/auth/audit`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from bongsu.identity.dependencies import Caller, require_account
from bongsu.identity.scopes import Permission
from bongsu.runtime.problems import problems
from bongsu_auth.audit import service
from bongsu_auth.audit.schemas import AuditOut, AuditPage


def create_router() -> APIRouter:
    """The route."""
    router = APIRouter(prefix="/auth/audit", tags=["audit"])

    @router.get("", responses=problems(401, 403, 422))
    async def listed(
        caller: Annotated[Caller, Depends(require_account)],
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    ) -> AuditPage:
        """What you did and what was done to you, newest first; for managers, everybody's."""
        whose = None if caller.may(Permission.AUDIT_READ_ALL) else caller.user_id
        found, following = await service.listed(whose, limit=limit, after=after)
        return AuditPage(
            items=[AuditOut.of(entry) for entry in found], next=str(following) if following is not None else None
        )

    return router
