"""`/v1/suppressions`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from bongsu.identity.dependencies import Caller, require_scope
from bongsu.identity.scopes import Scope
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_notify.notifications.endpoints import NO_QUERY
from bongsu_notify.notifications.principal import principal_of
from bongsu_notify.suppressions import service
from bongsu_notify.suppressions.schemas import SuppressionIn, SuppressionOut, SuppressionPage, SuppressionQuery

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])

Reader = Annotated[Caller, Depends(require_scope(Scope.SUPPRESSIONS_READ))]
Writer = Annotated[Caller, Depends(require_scope(Scope.SUPPRESSIONS_WRITE))]
Units = Annotated[Database, Provided(Database)]
Id = Annotated[UUID, Path(description="Suppression ID, as in the list")]


@router.get("", responses=problems(401, 403, 422))
async def list_suppressions(
    caller: Reader, database: Units, query: Annotated[SuppressionQuery, Query()]
) -> SuppressionPage:
    """List the addresses that get no more of your mail, newest first."""
    async with database.unit():
        page, following = await service.list_page(
            principal_of(caller), recipient=query.recipient, limit=query.limit, after=query.after
        )
    items = [SuppressionOut.model_validate(row) for row in page]
    return SuppressionPage(items=items, next=str(following) if following else None)


@router.post("", dependencies=NO_QUERY, status_code=201, responses=problems(401, 403, 422, 503))
async def add_suppression(body: SuppressionIn, caller: Writer, database: Units) -> SuppressionOut:
    """Send no more mail to an address. Repeating the request changes nothing."""
    added = await database.run(service.add, principal_of(caller), body.recipient)
    return SuppressionOut.model_validate(added)


@router.delete("/{suppression_id}", dependencies=NO_QUERY, status_code=204, responses=problems(401, 403, 404, 422, 503))
async def remove_suppression(suppression_id: Id, caller: Writer, database: Units) -> None:
    """Send mail to an address again."""
    await database.run(service.remove, principal_of(caller), suppression_id)
