"""Assertions: the dashboard acts in the bot on behalf of its user."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bongsu.identity.assertions import LIFETIME_S
from bongsu.identity.dependencies import Caller, require_account
from bongsu.runtime.problems import problems
from bongsu_auth.assertions import service
from bongsu_auth.assertions.schemas import AssertionIn, AssertionOut
from bongsu_auth.wiring import Wiring

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth", tags=["assertions"])

    @router.post("/assertions", responses=problems(400, 401, 403, 413, 422, 503))
    async def issue(body: AssertionIn, caller: Account, response: Response) -> AssertionOut:
        """Give your word for one action. It says who asks, not that they may: the audience checks that itself."""
        session_id = caller.session_id
        assert session_id is not None  # noqa: S101 - `require_account` saw to it
        token = await wiring.database.run(
            lambda: service.issue(body, caller.user_id, session_id, caller.actor, wiring.assertions, wiring.vault)
        )
        response.headers["Cache-Control"] = "no-store"
        return AssertionOut(assertion=token, expires_in=LIFETIME_S)

    return router
