"""The first page over HTTP."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bongsu_sandbox.overview.service import Overview


def create_router(overview: Overview) -> APIRouter:
    """The route of the first page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/sandbox")
    async def without_slash() -> Response:
        return RedirectResponse("/sandbox/", status_code=308)

    @router.get("/sandbox/")
    async def read_overview(request: Request) -> Response:
        return overview.page(request)

    return router
