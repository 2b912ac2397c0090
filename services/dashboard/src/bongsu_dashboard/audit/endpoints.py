"""`/audit`, for managers and administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from bongsu.contracts.audit import AUDIT_ACTIONS
from bongsu.runtime.dependencies import Provided
from bongsu_dashboard.audit.export import write_csv
from bongsu_dashboard.audit.filters import Filters
from bongsu_dashboard.audit.service import AuditLog
from bongsu_dashboard.pages.csv_files import download
from bongsu_dashboard.pages.dependencies import Rendering
from bongsu_dashboard.users.endpoints import Manager

router = APIRouter(prefix="/audit", include_in_schema=False)


@router.get("")
async def show_audit(
    request: Request,
    render: Rendering,
    _user: Manager,
    audit: Annotated[AuditLog, Provided(AuditLog)],
    after: UUID | None = None,
) -> Response:
    filters = Filters.parse(request.query_params)
    return render(
        "audit/list.html",
        fragment="audit/_results.html",
        # The address without the parameters that are empty.
        headers={"HX-Push-Url": filters.address(after=after)} if render.is_partial else {},
        page=await audit.list_entries(render.browser, filters, after=after),
        filters=filters,
        actions=AUDIT_ACTIONS,
        is_first=after is None,
    )


@router.get("/export.csv")
async def export(
    request: Request, render: Rendering, _user: Manager, audit: Annotated[AuditLog, Provided(AuditLog)]
) -> Response:
    pages = audit.load_pages(render.browser, Filters.parse(request.query_params))
    first = await anext(pages)  # an error of the first page is still answered with a page
    return download(write_csv(first, pages), "audit.csv")
