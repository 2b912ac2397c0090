"""What a browser was sent to a provider for: a row that works once, for the browser that was sent.

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
from bongsu_auth.accounts.service import digest
from bongsu_auth.errors import StateExpired, StateRefused
from bongsu_auth.oauth.models import Flow, OAuthState

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a flow is for.

    :param next_path: where the browser goes on to; a safe path.
    :param user_id: who is linking or installing, in which session; None for a sign-in.
    """

    provider: str
    flow: Flow
    next_path: str
    user_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A flow that begins: `state`, `code_challenge` and `nonce` go to the provider, `browser` into a cookie."""

    state: str
    browser: str
    code_challenge: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """The browser that came back.

    :param browser: what its cookie for this state holds.
    :param user_id: who is signed in there, in which session.
    """

    browser: str | None = None
    user_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A flow that came back, and cannot again."""

    purpose: Purpose
    verifier: str
    nonce: str


async def begin(purpose: Purpose, vault: Vault) -> Begun:
    """Writes down what a browser is sent for."""
    state, browser, verifier, nonce = (secrets.token_urlsafe(32) for _ in range(4))
    state_id = uuid7()
    await OAuthState.create(
        id=state_id,
        state_digest=digest(state),
        browser_digest=digest(browser),
        provider=purpose.provider,
        flow=purpose.flow,
        user_id=purpose.user_id,
        session_id=purpose.session_id,
        sealed_verifier=vault.seal(verifier, aad=_context(state_id)),
        nonce=nonce,
        next_path=purpose.next_path,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    return Begun(state, browser, _challenge(verifier), nonce)


async def take(state: str, provider: str, visitor: Visitor, vault: Vault) -> Taken:
    """What the browser was sent for: for this provider, and only once.

    :raises StateRefused: there is no such flow, it came back before, or another browser was sent.
    :raises StateExpired: it took too long.
    """
    found = await OAuthState.filter_by(state_digest=digest(state), provider=provider).first()
    if found is None or not _is_who_was_sent(visitor, found):
        raise StateRefused
    if found.expires_at <= datetime.now(UTC):
        raise StateExpired
    if await OAuthState.filter_by(id=found.id).delete() != 1:
        raise StateRefused
    try:
        verifier = vault.open_text(found.sealed_verifier, aad=_context(found.id))
    except SealBroken:
        raise StateRefused from None
    purpose = Purpose(found.provider, found.flow, found.next_path, found.user_id, found.session_id)
    return Taken(purpose, verifier, found.nonce)


async def sweep_states() -> int:
    """Removes flows that nobody came back from; how many."""
    return await sweep(OAuthState, expires_at__lt=datetime.now(UTC) - LIFETIME)


def _is_who_was_sent(visitor: Visitor, state: OAuthState) -> bool:
    """Whether the browser that came back is the one that was sent.

    It has the flow's cookie; or it is signed in with the session that asked, which is how it is where the dashboard
    asked on the browser's behalf. Whoever is signed in as somebody else by now does not link to the other's account.
    """
    if state.user_id is not None and visitor.user_id is not None and visitor.user_id != state.user_id:
        return False
    if visitor.browser is not None and hmac.compare_digest(digest(visitor.browser), state.browser_digest):
        return True
    return state.session_id is not None and visitor.session_id == state.session_id


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _context(state_id: UUID) -> str:
    return f"oauth_states.verifier:{state_id}"
