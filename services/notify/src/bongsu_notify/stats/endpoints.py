"""`/v1/stats`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bongsu.contracts.stats import Stats
from bongsu.identity.dependencies import Caller, require_scope
from bongsu.identity.scopes import Permission, Scope
from bongsu.runtime.problems import problems
from bongsu_notify.stats import service
from bongsu_notify.stats.schemas import StatsQuery

router = APIRouter(prefix="/v1/stats", tags=["stats"])


@router.get("", responses=problems(401, 403, 422))
async def get_stats(
    caller: Annotated[Caller, Depends(require_scope(Scope.STATS_READ))], query: Annotated[StatsQuery, Query()]
) -> Stats:
    """Count your notifications by status, for each hour or day. Staff who sign in see those of every user."""
    sees_all = caller.key_id is None and caller.may(Permission.STATS_READ_ALL)
    return Stats(items=await service.count(query, None if sees_all else caller.user_id))
