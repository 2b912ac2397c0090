"""The server-side state of a flow: a row that works once, for the browser that started it.

Every function needs an open unit of work.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import uuid7
from bongsu_auth.accounts.digests import digest
from bongsu_auth.errors import StateExpired, StateRefused
from bongsu_auth.oauth.models import Flow, OAuthState

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The purpose of a flow.

    :param next_path: where the browser goes afterwards; a safe path.
    :param user_id: who links or installs, in which session; None for a sign-in.
    """

    provider: str
    flow: Flow
    next_path: str
    user_id: UUID | None = None
    session_id: UUID | None = None


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

    :param browser: the value of its cookie for this state.
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


async def create(context: FlowContext, vault: Vault) -> NewState:
    """Store a new state."""
    state, browser, verifier, nonce = (secrets.token_urlsafe(32) for _ in range(4))
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
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    return NewState(state, browser, _challenge(verifier), nonce)


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
    context = FlowContext(found.provider, found.flow, found.next_path, found.user_id, found.session_id)
    return ConsumedState(context, verifier, found.nonce)


async def sweep_states() -> int:
    """Delete expired states. Returns how many."""
    return await sweep(OAuthState, expires_at__lt=datetime.now(UTC) - LIFETIME)


def _is_started_by(browser: CallbackBrowser, state: OAuthState) -> bool:
    """Return whether this browser started the flow.

    It has the flow's cookie; or it is signed in with the session that started the flow, as when the dashboard did so on
    the browser's behalf. A browser in which another user signed in since does not link to the first user's account.
    """
    if state.user_id is not None and browser.user_id is not None and browser.user_id != state.user_id:
        return False
    if browser.browser is not None and hmac.compare_digest(digest(browser.browser), state.browser_digest):
        return True
    return state.session_id is not None and browser.session_id == state.session_id


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _context(state_id: UUID) -> str:
    return f"oauth_states.verifier:{state_id}"
