"""`/auth/email`: a new address, which works once it is confirmed."""

from typing import Annotated

from fastapi import APIRouter, Request

from bongsu.identity.dependencies import identity_of
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.accounts.credentials import Credentials
from bongsu_auth.accounts.schemas import Accepted
from bongsu_auth.emails.schemas import ConfirmIn, EmailIn
from bongsu_auth.errors import invalid_field
from bongsu_auth.sessions.backend import Account, CurrentUser
from bongsu_auth.sessions.recent import require_recent

CredentialService = Annotated[Credentials, Provided(Credentials)]
Db = Annotated[Database, Provided(Database)]

router = APIRouter(prefix="/auth/email", tags=["accounts"])


@router.put("", status_code=202, responses=problems(400, 401, 403, 413, 422, 429, 503))
async def change(
    body: EmailIn,
    caller: Account,
    user: CurrentUser,
    credentials: CredentialService,
    database: Db,
) -> Accepted:
    """Request a change of your address. It changes when the link in the mail to the new address is used.

    The response is the same whether another account has the address or not. You need to have authenticated within the
    last ten minutes (`POST /auth/reauthenticate`).
    """
    await require_recent(caller.user_id, caller.session_id)
    if body.email == user.email_norm:
        raise invalid_field("email", "This is your address already. Enter another one.")
    await database.run(credentials.request_email, caller.user_id, body.email, caller.actor)
    return Accepted()


@router.post("/confirm", status_code=204, responses=problems(400, 413, 422, 503))
async def confirm(body: ConfirmIn, request: Request, credentials: CredentialService) -> None:
    """Confirm a new address with the token of the mail, which works once."""
    await credentials.confirm_email(body.token, identity_of(request).address(request))
