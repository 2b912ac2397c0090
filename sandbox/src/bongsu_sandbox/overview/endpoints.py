"""`/sandbox/`."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.overview.service import Overview

ProvidedOverview = Annotated[Overview, Provided(Overview)]

router = APIRouter(include_in_schema=False)


@router.get("/sandbox")
async def without_slash() -> Response:
    return RedirectResponse("/sandbox/", status_code=308)


@router.get("/sandbox/")
async def read_overview(overview: ProvidedOverview, request: Request) -> Response:
    return overview.page(request)
