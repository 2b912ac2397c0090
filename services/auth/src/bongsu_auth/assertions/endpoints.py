"""Assertions, with which the dashboard acts in the bot on behalf of its user."""

from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.identity.assertions import LIFETIME_S
from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.assertions.schemas import AssertionIn, AssertionOut
from bongsu_auth.assertions.service import Assertions
from bongsu_auth.sessions.backend import Account

router = APIRouter(prefix="/auth", tags=["assertions"])


@router.post("/assertions", responses=problems(400, 401, 403, 413, 422, 503))
async def issue_assertion(
    body: AssertionIn,
    caller: Account,
    response: Response,
    assertions: Annotated[Assertions, Provided(Assertions)],
    database: Annotated[Database, Provided(Database)],
) -> AssertionOut:
    """Authorise one action. The assertion says who you are; the audience checks that you may."""
    assert caller.session_id is not None  # noqa: S101 - `Account` requires a session
    token = await database.run(assertions.issue, body, caller.user_id, caller.session_id, caller.actor)
    response.headers["Cache-Control"] = "no-store"
    return AssertionOut(assertion=token, expires_in=LIFETIME_S)
