"""The gateway over WebSocket, and its address over REST."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocket

from bongsu.runtime.dependencies import Provided, find
from bongsu_sandbox.access import TRANSPORT
from bongsu_sandbox.connection import reset
from bongsu_sandbox.discord.front import DiscordRoute, require_bot
from bongsu_sandbox.discord.gateway.connection import Connection, Gateway
from bongsu_sandbox.discord.gateway.hub import Hub
from bongsu_sandbox.faults.schemas import Kind
from bongsu_sandbox.faults.service import CheckDetail, parse_seconds, reject_detail
from bongsu_sandbox.settings import is_loopback

PATH = "/sandbox/discord/gateway"


def _close_code(detail: object) -> float | None:
    if detail in (None, ""):
        return None
    code = float(str(detail))
    if not 4000 <= code <= 4999:
        raise ValueError("Give a close code of the gateway's, 4000 to 4999")
    return code


ABILITIES: dict[Kind, CheckDetail] = {
    "error": _close_code,
    "hang": parse_seconds,
    "throttle": reject_detail,
    "invalid_session": reject_detail,
    "accept_then_reset": reject_detail,
    "unavailable": reject_detail,
    "reset": reject_detail,
}
"""`error`: IDENTIFY and RESUME end with a close code; `throttle`: with 4008; `invalid_session`: with op 9.
`accept_then_reset`: the connection is closed after READY or RESUMED.
`unavailable`: the handshake fails with 503; `reset`: the connection is cut; `hang`: HELLO never comes."""


router = APIRouter()
rest_router = APIRouter(route_class=DiscordRoute, include_in_schema=False)

ProvidedHub = Annotated[Hub, Provided(Hub)]


@router.websocket(PATH)
async def connect(socket: WebSocket) -> None:
    gateway = find(socket.app, Gateway)
    local = socket.client is not None and is_loopback(socket.client.host)
    if "origin" in socket.headers or not (local or gateway.allow_remote):
        await socket.send_denial_response(Response(status_code=403))
        return
    fault = gateway.faults.find_hit("gateway", "unavailable", "reset", "hang")
    if fault is not None and fault.kind == "unavailable":
        await socket.send_denial_response(Response(status_code=503))
        return
    if fault is not None and fault.kind == "reset":
        reset(socket.scope[TRANSPORT])
        return
    if socket.query_params.get("v", "10") not in {"9", "10"}:
        await socket.accept()
        await socket.close(4012, "Invalid API version.")
        return
    unsupported = _unsupported(socket)
    if unsupported is not None:
        await socket.accept()
        await socket.close(4002, unsupported)
        return
    await socket.accept()
    if fault is not None:
        await fault.wait_until_ended(fault.detail if isinstance(fault.detail, float) else None)
        if gateway.stop.is_set():
            return
    compressed = socket.query_params.get("compress") == "zlib-stream"
    await Connection(gateway, socket, compressed=compressed).run()


def _unsupported(socket: WebSocket) -> str | None:
    """Why the stand-in cannot speak as the client wants: better than JSON that the client does not understand."""
    encoding, compress = socket.query_params.get("encoding", "json"), socket.query_params.get("compress")
    if encoding != "json":
        return f"The stand-in has no encoding {encoding[:20]}; use json"
    if compress not in {None, "", "zlib-stream"}:
        return f"The stand-in has no compression {compress[:20]}; use zlib-stream"
    return None


def _gateway_url(request: Request) -> str:
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{request.url.netloc}{PATH}"


@rest_router.get("/gateway")
async def read_gateway(request: Request) -> Response:
    return JSONResponse({"url": _gateway_url(request)})


@rest_router.get("/gateway/bot", dependencies=[Depends(require_bot)])
async def read_bot_gateway(hub: ProvidedHub, request: Request) -> Response:
    left = max(0, hub.session_starts - hub.counts.identifies)
    limit = {
        "total": hub.session_starts,
        "remaining": left,
        "reset_after": 14_400_000,
        "max_concurrency": hub.max_concurrency,
    }
    return JSONResponse({"url": _gateway_url(request), "shards": hub.shards, "session_start_limit": limit})
