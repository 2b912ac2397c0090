"""The server-side state of a flow: a row that works once, for the browser that started it.

Every function needs an open unit of work.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity import base64url
from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import uuid7
from bongsu_auth.digests import digest
from bongsu_auth.errors import StateExpired, StateRefused
from bongsu_auth.oauth.models import Flow, OAuthState

LIFETIME = timedelta(minutes=10)
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """An API client's request to sign a user in.

    :param code_challenge: PKCE's, S256.
    :param state: comes back to the client unchanged.
    """

    redirect_uri: str
    code_challenge: str
    state: str | None = None


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The purpose of a flow.

    :param next_path: where the browser goes afterwards; a safe path.
    :param user_id: who links or installs, in which session; None for a sign-in.
    :param client: the API client that the sign-in is for; None for a browser's flow.
    """

    provider: str
    flow: Flow
    next_path: str
    user_id: UUID | None = None
    session_id: UUID | None = None
    client: ClientRequest | None = None


@dataclass(frozen=True, slots=True)
class NewState:
    """A flow that starts: `state`, `code_challenge` and `nonce` go to the provider, `browser` into a cookie."""

    state: str
    browser: str
    code_challenge: str
    nonce: str


@dataclass(frozen=True, slots=True)
class CallbackBrowser:
    """The browser that comes back.

    :param browser: the value of its flow cookie.
    :param user_id: who is signed in there, in which session.
    """

    browser: str | None = None
    user_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConsumedState:
    """A flow that came back. Its state does not work again."""

    context: FlowContext
    verifier: str
    nonce: str


async def create(context: FlowContext, vault: Vault, browser: str | None = None) -> NewState:
    """Store a new state.

    :param browser: the value of the flow cookie that the browser has from another flow; it serves for both.
    """
    state, new_browser, verifier, nonce = (secrets.token_urlsafe(32) for _ in range(4))
    if browser is None or not _COOKIE.fullmatch(browser):
        browser = new_browser
    state_id = uuid7()
    await OAuthState.create(
        id=state_id,
        state_digest=digest(state),
        browser_digest=digest(browser),
        provider=context.provider,
        flow=context.flow,
        user_id=context.user_id,
        session_id=context.session_id,
        sealed_verifier=vault.seal(verifier, aad=_context(state_id)),
        nonce=nonce,
        next_path=context.next_path,
        redirect_uri=context.client.redirect_uri if context.client is not None else None,
        client_challenge=context.client.code_challenge if context.client is not None else None,
        client_state=context.client.state if context.client is not None else None,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    return NewState(state, browser, challenge_of(verifier), nonce)


async def consume(state: str, provider: str, browser: CallbackBrowser, vault: Vault) -> ConsumedState:
    """Delete a state and return it: for this provider and this browser, once.

    :raises StateRefused: the state is unknown or used, or another browser started the flow.
    :raises StateExpired: it took too long.
    """
    found = await OAuthState.filter_by(state_digest=digest(state), provider=provider).first()
    if found is None or not _is_started_by(browser, found):
        raise StateRefused
    if found.expires_at <= datetime.now(UTC):
        raise StateExpired
    if await OAuthState.filter_by(id=found.id).delete() != 1:
        raise StateRefused
    try:
        verifier = vault.open_text(found.sealed_verifier, aad=_context(found.id))
    except SealBroken:
        raise StateRefused from None
    context = FlowContext(
        found.provider, found.flow, found.next_path, found.user_id, found.session_id, _client_of(found)
    )
    return ConsumedState(context, verifier, found.nonce)


async def sweep_states() -> int:
    """Delete expired states. Returns how many."""
    return await sweep(OAuthState, expires_at__lt=datetime.now(UTC) - LIFETIME)


def _is_started_by(browser: CallbackBrowser, state: OAuthState) -> bool:
    """Return whether this browser started the flow.

    The flow of an API client starts in no browser: its code is bound to the client. A browser has the flow cookie; or
    it is signed in with the session that started the flow, as when the dashboard did so on the browser's behalf. A
    browser in which another user signed in since does not link to the first user's account.
    """
    if _client_of(state) is not None:
        return True
    if state.user_id is not None and browser.user_id is not None and browser.user_id != state.user_id:
        return False
    if browser.browser is not None and hmac.compare_digest(digest(browser.browser), state.browser_digest):
        return True
    return state.session_id is not None and browser.session_id == state.session_id


def _client_of(state: OAuthState) -> ClientRequest | None:
    if state.redirect_uri is None or state.client_challenge is None:
        return None
    return ClientRequest(state.redirect_uri, state.client_challenge, state.client_state)


def challenge_of(verifier: str) -> str:
    """Return the S256 code challenge of a code verifier (RFC 7636)."""
    return base64url.encode(hashlib.sha256(verifier.encode()).digest())


def _context(state_id: UUID) -> str:
    return f"oauth_states.verifier:{state_id}"
