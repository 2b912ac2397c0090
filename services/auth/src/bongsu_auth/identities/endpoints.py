"""Linking and unlinking accounts at providers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bongsu.identity.dependencies import Caller, require_account
from bongsu.identity.models import LinkedAccount
from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import problems
from bongsu_auth.errors import ProviderNotFound
from bongsu_auth.identities import service
from bongsu_auth.identities.schemas import IdentityOut, IdentityPage, LinkIn
from bongsu_auth.oauth.endpoints import put_flow
from bongsu_auth.oauth.port import ProviderFailed
from bongsu_auth.oauth.schemas import AuthorizationUrl
from bongsu_auth.oauth.states import Purpose
from bongsu_auth.reauthentication.service import require_recent
from bongsu_auth.wiring import Wiring

log = get_logger(__name__)

Account = Annotated[Caller, Depends(require_account)]


def create_router(wiring: Wiring) -> APIRouter:
    """The routes; each opens its units of work and commits before it answers."""
    router = APIRouter(prefix="/auth/identities", tags=["identities"])

    @router.get("", responses=problems(401, 403))
    async def identities(caller: Account) -> IdentityPage:
        """By which accounts at providers you can sign in."""
        found, has_password = await service.listed(caller.user_id)
        return IdentityPage(items=[IdentityOut.of(one) for one in found], has_password=has_password)

    @router.post("/{provider}/link", responses=problems(400, 401, 403, 404, 413, 422, 503))
    async def link(provider: str, caller: Account, response: Response, body: LinkIn | None = None) -> AuthorizationUrl:
        """Link an account: send the browser to `authorization_url`. It comes back to `next` with `linked=<provider>`.

        The browser must be signed in with the session that asks, or keep the cookie that is set here.
        """
        wiring.flows.provider(provider)
        await require_recent(caller.user_id, caller.session_id)
        next_path = body.next if body is not None else "/"
        purpose = Purpose(provider, "link", next_path, caller.user_id, caller.session_id)
        departure = await wiring.flows.begin(purpose)
        put_flow(wiring, response, departure)
        return AuthorizationUrl(authorization_url=departure.authorization_url)

    @router.delete("/{provider}", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
    async def unlink(provider: str, caller: Account) -> None:
        """Unlink an account; not the last way to sign in. The provider is told that we need its tokens no more."""
        await require_recent(caller.user_id, caller.session_id)
        unlinked = await wiring.database.run(lambda: service.unlink(caller.user_id, provider, caller.actor))
        await _revoke(wiring, unlinked)

    return router


async def _revoke(wiring: Wiring, unlinked: LinkedAccount) -> None:
    """As far as the provider answers: here it is unlinked in any case."""
    token = wiring.grants.access_token(unlinked)
    if token is None:
        return
    try:
        await wiring.flows.provider(unlinked.provider).revoke(token)
    except (ProviderFailed, ProviderNotFound) as error:
        log.warning("oauth.revocation_failed", provider=unlinked.provider, error=type(error).__name__)
