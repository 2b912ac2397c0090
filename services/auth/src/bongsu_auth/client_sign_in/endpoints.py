"""Signing in through a provider for API clients: apps, command-line tools, other servers."""

from typing import Annotated

from fastapi import APIRouter, Response

from bongsu.mixins import Database
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.problems import problems
from bongsu_auth.client_sign_in.schemas import AuthorizeIn, ExchangeIn
from bongsu_auth.client_sign_in.service import ClientSignIns
from bongsu_auth.mfa.schemas import MfaRequired
from bongsu_auth.oauth.limits import AuthorizationLimit
from bongsu_auth.oauth.schemas import AuthorizationUrl
from bongsu_auth.oauth.states import ClientRequest
from bongsu_auth.sessions.backend import Strategy, bearer_backend
from bongsu_auth.sessions.schemas import TokenPair
from bongsu_auth.sessions.strategy import Authentication

SignIns = Annotated[ClientSignIns, Provided(ClientSignIns)]

router = APIRouter(prefix="/auth/oauth", tags=["oauth"])


@router.post("/{provider}/authorize", responses=problems(400, 404, 413, 422, 429, 503))
async def authorize_client(
    provider: str,
    body: AuthorizeIn,
    strategy: Strategy,
    sign_ins: SignIns,
    limit: Annotated[AuthorizationLimit, Provided(AuthorizationLimit)],
) -> AuthorizationUrl:
    """Start a sign-in: open `authorization_url` in the user's browser.

    The browser goes to `redirect_uri` afterwards, with `code`, `state` and `iss`, or with `error`,
    `error_description`, `state` and `iss` (RFC 6749, RFC 9207). Exchange the code within 60 seconds.
    """
    await limit.count(strategy.address)
    client = ClientRequest(body.redirect_uri, body.code_challenge, body.state)
    return AuthorizationUrl(authorization_url=await sign_ins.start(provider, client))


@router.post("/exchange", response_model=TokenPair | MfaRequired, responses=problems(400, 403, 413, 422, 503))
async def exchange(
    body: ExchangeIn, strategy: Strategy, sign_ins: SignIns, database: Annotated[Database, Provided(Database)]
) -> Response:
    """Exchange a code for tokens. It works once and for 60 seconds, with the verifier of its challenge only.

    An account with a second factor gets `mfa_required` and continues with `POST /auth/mfa/verify`.
    """
    authentication = Authentication(*await sign_ins.redeem(body.code, body.code_verifier))
    return await database.run(bearer_backend.login, strategy, authentication)
