"""Faults over HTTP: JSON for programs, two forms for the overview page."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import Invalid
from bongsu.runtime.problems import problems
from bongsu_sandbox.faults.schemas import FaultList, FaultRequest, FaultView, Kind, Target
from bongsu_sandbox.faults.service import Faults
from bongsu_sandbox.overview.service import Overview
from bongsu_sandbox.pages.forms import read_form

PREFIX = "/sandbox/faults"
_SECTION = "/sandbox/#faults"


ProvidedFaults = Annotated[Faults, Provided(Faults)]
ProvidedOverview = Annotated[Overview, Provided(Overview)]

router = APIRouter(prefix=PREFIX, tags=["faults"])


@router.get("", summary="List the active faults")
async def read_faults(faults: ProvidedFaults) -> FaultList:
    return FaultList(items=[FaultView.model_validate(fault) for fault in faults.list_active()])


@router.post("", status_code=201, summary="Set a fault", responses=problems(422))
async def set_fault(faults: ProvidedFaults, body: FaultRequest) -> FaultView:
    return FaultView.model_validate(faults.set(body))


@router.delete("", status_code=204, summary="Clear the faults of a target and a kind, or all")
async def clear_faults(faults: ProvidedFaults, target: Target | None = None, kind: Kind | None = None) -> None:
    faults.clear(target, kind)


@router.post("/set", include_in_schema=False)
async def set_by_form(faults: ProvidedFaults, overview: ProvidedOverview, request: Request) -> Response:
    form = await read_form(request)
    try:
        faults.set(_from_form(form))
    except (ValidationError, Invalid) as error:
        return overview.page(request, form=form, problem=_message(error), status_code=422)
    return RedirectResponse(_SECTION, status_code=303)


@router.post("/clear", include_in_schema=False)
async def clear_by_form(faults: ProvidedFaults, request: Request) -> Response:
    form = await read_form(request)
    for fault in faults.list_active():
        if form.get("kind") in (None, "", fault.kind) and form.get("target") in (None, "", fault.target):
            faults.clear(fault.target, fault.kind)
    return RedirectResponse(_SECTION, status_code=303)


def _from_form(form: Mapping[str, str]) -> FaultRequest:
    """Parse the form, whose field `fault` is `target/kind` and whose empty fields are omitted."""
    given = {name: value for name, value in form.items() if value and name != "fault"}
    target, _, kind = form.get("fault", "").partition("/")
    return FaultRequest.model_validate(given | {"target": target, "kind": kind})


def _message(error: ValidationError | Invalid) -> str:
    if isinstance(error, Invalid):
        return error.detail
    return "; ".join(f"{'.'.join(str(part) for part in item['loc'][:1])}: {item['msg']}" for item in error.errors())
