"""The ledger over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.ledger.service import Ledger
from bongsu_sandbox.line_file import json_page
from bongsu_sandbox.pages.negotiation import wants_page
from bongsu_sandbox.pages.rendering import ProvidedPages

_PAGE_SIZE = 100
After = Annotated[int, Query(ge=0, description="`next` of an earlier answer")]
Limit = Annotated[int | None, Query(ge=1, le=100_000)]


ProvidedLedger = Annotated[Ledger, Provided(Ledger)]

router = APIRouter(tags=["ledger"])


@router.get("/sandbox/ledger", summary="List every accepted send, oldest first")
async def read_ledger(
    ledger: ProvidedLedger,
    pages: ProvidedPages,
    request: Request,
    after: After = 0,
    limit: Limit = None,
    form: Annotated[Literal["json"] | None, Query(alias="format", description="JSON also for browsers")] = None,
) -> Response:
    if form is None and wants_page(request):
        context = {"place": "ledger", "entries": ledger.list_newest(_PAGE_SIZE), "count": ledger.count}
        return pages.page(request, "ledger.html", context)
    lines, following = ledger.page(after, limit)
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(json_page(lines, following), media_type="application/json", headers=headers)
