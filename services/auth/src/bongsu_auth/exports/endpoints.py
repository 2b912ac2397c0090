"""`GET /auth/me/export`."""

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.exports.schemas import AccountExport
from bongsu_auth.exports.service import Exports
from bongsu_auth.sessions.backend import Account, CurrentUser
from bongsu_auth.sessions.recent import require_recent

router = APIRouter(prefix="/auth/me/export", tags=["accounts"])


@router.get("", response_class=StreamingResponse, response_model=AccountExport, responses=problems(401, 403, 503))
async def export(
    caller: Account,
    user: CurrentUser,
    exports: Annotated[Exports, Provided(Exports)],
) -> Response:
    """Download what every service keeps of you: the fields below, and `notifications`.

    You need to have authenticated within the last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    pieces = await exports.write(user, caller.session_id)
    headers = {"Content-Disposition": 'attachment; filename="bongsu-export.json"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="application/json", headers=headers)
