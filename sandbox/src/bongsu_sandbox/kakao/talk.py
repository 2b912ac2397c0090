"""KakaoTalk: the API by which an app sends a person a message to themselves, and the page that shows them."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided
from bongsu_sandbox.faults.requests import ABILITIES as REQUEST_ABILITIES
from bongsu_sandbox.faults.requests import ABILITIES_AFTER, RequestFaults
from bongsu_sandbox.faults.schemas import Kind
from bongsu_sandbox.faults.service import CheckDetail
from bongsu_sandbox.kakao.endpoints import PREFIX, ProvidedGrant, ProvidedSignIn, refuse_api
from bongsu_sandbox.kakao.messages import SCOPE, Messages
from bongsu_sandbox.line_file import json_page
from bongsu_sandbox.pages.forms import read_form
from bongsu_sandbox.pages.negotiation import wants_page
from bongsu_sandbox.pages.rendering import ProvidedPages

SEND: Final = "/v2/api/talk/memo/default/send"
ABILITIES: Final[Mapping[Kind, CheckDetail]] = {
    kind: check
    for kind, check in {**REQUEST_ABILITIES, **ABILITIES_AFTER}.items()
    if kind in ("error", "unavailable", "throttle", "hang", "reset", *ABILITIES_AFTER)
}


class MessageFaults(RequestFaults):
    """The faults of messages alone: signing in goes on."""


ProvidedMessages = Annotated[Messages, Provided(Messages)]

router = APIRouter(prefix=PREFIX)


@router.post(SEND, include_in_schema=False)
async def send(
    request: Request,
    sign_in: ProvidedSignIn,
    found: ProvidedGrant,
    messages: ProvidedMessages,
    faults: Annotated[MessageFaults, Provided(MessageFaults)],
) -> Response:
    """Send a message to the owner of the token."""
    fault = faults.before(SEND)
    if fault is not None:
        return fault
    grant, person = found
    if SCOPE not in grant.scopes:
        body = {
            "msg": f"[{sign_in.client.id}] insufficient scopes.",
            "code": -402,
            "api_type": "TALK_MEMO_DEFAULT_SEND",
            "required_scopes": [SCOPE],
            "allowed_scopes": grant.scopes,
        }
        return JSONResponse(body, status_code=403)
    try:
        messages.send(sign_in.user_id(person), person, (await read_form(request)).get("template_object", ""))
    except ValueError as error:
        return refuse_api(400, -2, str(error))
    return faults.after(SEND) or JSONResponse({"result_code": 0})


@router.get("/messages", tags=["kakao"], summary="List KakaoTalk messages, newest first")
async def read_messages(
    request: Request,
    messages: ProvidedMessages,
    pages: ProvidedPages,
    user_id: Annotated[int | None, Query(description="A person's ID at Kakao")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 100,
) -> Response:
    """JSON, or a page for browsers."""
    found = messages.list_newest(limit, user_id)
    if wants_page(request):
        return pages.page(request, "kakao.html", {"place": "kakao", "messages": found})
    lines = [message.model_dump_json(exclude_none=True).encode() for message in found]
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(json_page(lines, None), media_type="application/json", headers=headers)
