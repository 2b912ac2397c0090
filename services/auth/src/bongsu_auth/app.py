"""Builds auth's API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import FastAPI, Request, Response
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.exc import SQLAlchemyError

from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.callers import Identity
from bongsu.identity.nonces import sweep_nonces
from bongsu.identity.revocations import sweep_revocations
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.tokens import TokenIssuer
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.dependencies import provide
from bongsu.runtime.documentation import read_texts
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.http import create_api
from bongsu.runtime.logging import get_logger
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.problems import problem_response, request_id_of
from bongsu_auth.accounts import endpoints as accounts
from bongsu_auth.accounts.app import create_accounts
from bongsu_auth.accounts.deletion import Deletion
from bongsu_auth.accounts.links import sweep_links
from bongsu_auth.accounts.manager import sweep_registrations
from bongsu_auth.accounts.passwords import OWASP_MINIMUM
from bongsu_auth.api_keys import endpoints as api_keys
from bongsu_auth.api_keys.service import ApiKeys
from bongsu_auth.assertions import endpoints as assertions
from bongsu_auth.assertions.service import Assertions
from bongsu_auth.audit import endpoints as audit
from bongsu_auth.client_sign_in import endpoints as client_sign_in
from bongsu_auth.client_sign_in.service import sweep_codes
from bongsu_auth.discord_tokens import endpoints as discord_tokens
from bongsu_auth.discord_tokens.service import LIFETIME_S as DISCORD_TOKEN_S
from bongsu_auth.discord_tokens.service import DiscordTokens
from bongsu_auth.emails import endpoints as emails
from bongsu_auth.errors import (
    IdTokenForged,
    LinkRefused,
    PasswordRequired,
    StateExpired,
    StateRefused,
    VerificationRefused,
)
from bongsu_auth.exports import endpoints as exports
from bongsu_auth.exports.http import HttpNotificationSource
from bongsu_auth.exports.service import Exports
from bongsu_auth.guilds import endpoints as guilds
from bongsu_auth.kakao_tokens import endpoints as kakao_tokens
from bongsu_auth.mfa import endpoints as mfa
from bongsu_auth.mfa.service import sweep_challenges
from bongsu_auth.oauth import endpoints as oauth
from bongsu_auth.oauth.app import create_sign_in_at_providers
from bongsu_auth.oauth.limits import AuthorizationLimit
from bongsu_auth.oauth.states import sweep_states
from bongsu_auth.passwords import endpoints as passwords
from bongsu_auth.sessions import endpoints as sessions
from bongsu_auth.sessions.access_tokens import AccessTokens
from bongsu_auth.sessions.counters import sweep_counters
from bongsu_auth.sessions.service import sweep_sessions
from bongsu_auth.settings import AuthSettings
from bongsu_auth.signing_keys import endpoints as signing_keys
from bongsu_auth.signing_keys.service import SigningKeys
from bongsu_auth.users import endpoints as user_administration
from bongsu_auth.users.service import UserAdministration

log = get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024
FEATURES = (
    # First: routes are tried in this order, and most requests sign in or renew a session.
    sessions,
    client_sign_in,
    accounts,
    user_administration,
    exports,
    passwords,
    emails,
    mfa,
    oauth,
    guilds,
    assertions,
    discord_tokens,
    kakao_tokens,
    api_keys,
    audit,
    signing_keys,
)
Sweep = Callable[[], Awaitable[int]]

DESCRIPTION = """Accounts, sessions and API keys.

Sign in for an access token (`Authorization: Bearer …`), which works for 15 minutes; a refresh token gives the next one.
Programs create an API key and sign their requests with it (RFC 9421, `hmac-sha256`, covering at least `"@method"
"@authority" "@path" "@query"` and, with a body, `"content-digest"`; parameters `created`, `keyid`, `nonce`)."""


def create_app(  # noqa: PLR0913 - each is one collaborator
    *,
    settings: AuthSettings,
    identity: Identity,
    database: Database,
    vault: Vault,
    public_url: str,
    notify: httpx.AsyncClient,
    providers_transport: httpx.AsyncBaseTransport | None = None,
    argon2: Argon2Hasher = OWASP_MINIMUM,
) -> FastAPI:
    """Build the API. The caller owns the database, and disposes of it after the app's lifespan.

    :param notify: a client for notify; the caller closes it.
    :param providers_transport: replaces the network to sign-in providers, in tests.
    :param argon2: the cost of a password's hash.
    """
    authorization_limit = AuthorizationLimit(database, settings.authorizations_per_hour)
    account_services = create_accounts(
        settings, identity=identity, database=database, vault=vault, public_url=public_url, argon2=argon2
    )
    users, session_service, notices = account_services.users, account_services.sessions, account_services.notices
    at_providers = create_sign_in_at_providers(
        settings,
        database=database,
        vault=vault,
        public_url=public_url,
        sessions=session_service,
        users=users,
        notices=notices,
        transport=providers_transport,
    )
    keys = ApiKeys(
        database,
        vault,
        identity.keys,
        notices,
        max_active=settings.max_active_keys,
        max_entries=settings.max_allowlist_entries,
        overlap=settings.key_overlap,
    )
    sweeps = (
        sweep_nonces,
        sweep_revocations,
        sweep_registrations,
        sweep_links,
        sweep_challenges,
        sweep_sessions,
        sweep_counters,
        sweep_states,
        sweep_codes,
        at_providers.flows.retry_profiles,
        SigningKeys(database, vault, timedelta(days=settings.signing_key_days)).rotate_when_old,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with identity.following(), at_providers.http, in_background(sweep_regularly(sweeps), name="auth sweep"):
            try:
                yield
            finally:
                await authorization_limit.close()
                await account_services.close()

    app = create_api(
        title="Bongsu auth",
        version="1",
        prefix="/auth",
        description=DESCRIPTION,
        metrics=Metrics("auth"),
        lifespan=lifespan,
        max_body_bytes=MAX_BODY_BYTES,
        korean=read_texts("bongsu_auth", "openapi.ko.json"),
        cors_origins=identity.cors_origins,
    )
    provide(app, settings, identity, database, authorization_limit, keys)
    provide(app, *account_services.provided, *at_providers.provided)
    provide(
        app,
        Exports(account_services.access_tokens, HttpNotificationSource(notify)),
        UserAdministration(users, session_service, account_services.mfa, keys),
        Deletion(database, vault, users, session_service, notices, at_providers.flows),
        Assertions(AssertionIssuer(public_url), vault),
        ServiceCredentials(vault),
        DiscordTokens(AccessTokens(TokenIssuer(public_url, lifetime_s=DISCORD_TOKEN_S), vault)),
    )
    for refused in (VerificationRefused, LinkRefused, PasswordRequired, StateRefused, StateExpired, IdTokenForged):
        app.add_exception_handler(refused, _bad_request)

    for feature in FEATURES:
        app.include_router(feature.router)
    return app


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for these types
    return problem_response(error, request_id=request_id_of(request), status=400)


async def sweep_regularly(sweeps: Sequence[Sweep], *, interval_s: float = 60.0, timeout_s: float = 60.0) -> None:
    """Run the sweeps again and again, in any number of replicas.

    :param timeout_s: for one sweep, whose connection may have gone silent; its next run continues.
    """
    while True:
        await asyncio.sleep(interval_s)
        for sweep in sweeps:
            try:
                async with asyncio.timeout(timeout_s):
                    removed = await sweep()
            except (SQLAlchemyError, MixinError, OSError) as error:
                log.warning("sweep.failed", what=sweep.__name__, error=type(error).__name__)
            except Exception:
                # A defect of one sweep must not stop the others.
                log.exception("sweep.failed", what=sweep.__name__)
            else:
                if removed:
                    log.debug("sweep.done", what=sweep.__name__, removed=removed)
