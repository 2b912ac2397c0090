"""Builds auth's API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from bongsu.identity.callers import Identity
from bongsu.identity.nonces import sweep_nonces
from bongsu.identity.revocations import sweep_revocations
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.dependencies import provide
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.http import create_api, request_id_of
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.migrations import MigrationSet
from bongsu.runtime.problems import problem_response
from bongsu_auth.accounts import endpoints as accounts
from bongsu_auth.accounts.service import sweep_registrations
from bongsu_auth.api_keys import endpoints as api_keys
from bongsu_auth.assertions import endpoints as assertions
from bongsu_auth.audit import endpoints as audit
from bongsu_auth.errors import IdTokenForged, PasswordRequired, StateExpired, StateRefused, VerificationRefused
from bongsu_auth.guilds import endpoints as guilds
from bongsu_auth.identities import endpoints as identities
from bongsu_auth.installs import endpoints as installs
from bongsu_auth.oauth import endpoints as oauth
from bongsu_auth.oauth.states import sweep_states
from bongsu_auth.reauthentication import endpoints as reauthentication
from bongsu_auth.renewal import endpoints as renewal
from bongsu_auth.sessions import endpoints as sessions
from bongsu_auth.sessions.limits import sweep_failures
from bongsu_auth.sessions.service import sweep_sessions
from bongsu_auth.settings import AuthSettings
from bongsu_auth.signing_keys import endpoints as signing_keys
from bongsu_auth.wiring import Wiring

log = get_logger(__name__)

MIGRATIONS = MigrationSet("auth", "bongsu_auth.migrations")
MAX_BODY_BYTES = 64 * 1024
SWEEP_EVERY_S = 60.0
SWEEP_TIMEOUT_S = 60.0
"""How long one sweep may take; the next goes on with it. A connection may have gone silent."""

DESCRIPTION = """Accounts, sessions and API keys.

Sign in for an access token (`Authorization: Bearer …`), which works for 15 minutes; a refresh token gives the next one.
Programs make an API key and sign their requests with it (RFC 9421, `hmac-sha256`, covering at least `"@method"
"@authority" "@path" "@query"` and, with a body, `"content-digest"`; parameters `created`, `keyid`, `nonce`)."""


def create_app(  # noqa: PLR0913 - each is one collaborator
    *,
    settings: AuthSettings,
    identity: Identity,
    database: Database,
    vault: Vault,
    public_url: str,
    providers_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The API. Whoever calls this owns the database, and closes it after the app's lifespan.

    :param providers_transport: in place of the network, where sign-in providers are; for tests.
    """
    wiring = Wiring.build(
        settings=settings,
        identity=identity,
        database=database,
        vault=vault,
        public_url=public_url,
        providers_transport=providers_transport,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with identity.following(), wiring.providers_http, in_background(_sweep(wiring), name="auth sweep"):
            try:
                yield
            finally:
                wiring.hasher.close()

    app = create_api(
        title="Bongsu auth",
        version="1",
        prefix="/auth",
        description=DESCRIPTION,
        metrics=Metrics("auth"),
        lifespan=lifespan,
        max_body_bytes=MAX_BODY_BYTES,
    )
    provide(app, identity)
    app.state.wiring = wiring
    for refused in (VerificationRefused, PasswordRequired, StateRefused, StateExpired, IdTokenForged):
        app.add_exception_handler(refused, _bad_request)
    app.include_router(accounts.create_router(wiring))
    app.include_router(sessions.create_router(wiring))
    for feature in (oauth, identities, reauthentication, renewal, guilds, installs, assertions):
        app.include_router(feature.create_router(wiring))
    app.include_router(api_keys.create_router(wiring))
    app.include_router(audit.create_router())
    app.include_router(signing_keys.create_router(wiring))
    return app


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for these types
    return problem_response(error, request_id=request_id_of(request), status=400)


async def _sweep(wiring: Wiring) -> None:
    """Removes what has expired, and tries again what failed. Any number of replicas may do it."""
    sweeps: tuple[Callable[[], Awaitable[int]], ...] = (
        sweep_nonces,
        sweep_revocations,
        sweep_registrations,
        sweep_sessions,
        sweep_failures,
        sweep_states,
        wiring.flows.retry_profiles,
    )
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        for sweep in sweeps:
            try:
                async with asyncio.timeout(SWEEP_TIMEOUT_S):
                    removed = await sweep()
            except (SQLAlchemyError, MixinError, OSError) as error:
                log.warning("sweep.failed", what=sweep.__name__, error=type(error).__name__)
            except Exception:
                # The others, and the next time, are not to be missed for a defect of this one.
                log.exception("sweep.failed", what=sweep.__name__)
            else:
                if removed:
                    log.debug("sweep.done", what=sweep.__name__, removed=removed)
