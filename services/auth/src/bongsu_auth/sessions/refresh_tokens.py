"""Refresh tokens: a session, a generation, and an HMAC of both under the session's own key.

No token is stored: the newest can be derived again, so tabs that refresh at the same time get the same one.
"""

import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from bongsu.identity import base64url

PREFIX = "brt_"
KEY_BYTES = 32
_MAC_BYTES = 32
_BODY_BYTES = 16 + 4
_DOMAIN = b"bongsu.refresh\0"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as a client sent it. Do not trust it before `is_of`."""

    session_id: UUID
    generation: int
    mac: bytes

    def is_of(self, key: bytes) -> bool:
        """Return whether its MAC was computed with the session's key."""
        return hmac.compare_digest(self.mac, _mac(key, self.session_id, self.generation))


def new_key() -> bytes:
    """Return a key for a new session."""
    return secrets.token_bytes(KEY_BYTES)


def make(key: bytes, session_id: UUID, generation: int) -> str:
    """Return the refresh token of a generation."""
    data = _body(session_id, generation) + _mac(key, session_id, generation)
    return PREFIX + base64url.encode(data)


def parse(text: str) -> RefreshToken | None:
    """Parse a refresh token; None if it is malformed."""
    encoded = text.removeprefix(PREFIX)
    if encoded == text:
        return None
    try:
        data = base64url.decode(encoded)
    except ValueError:
        return None
    if len(data) != _BODY_BYTES + _MAC_BYTES:
        return None
    return RefreshToken(UUID(bytes=data[:16]), int.from_bytes(data[16:20]), data[_BODY_BYTES:])


def _body(session_id: UUID, generation: int) -> bytes:
    return session_id.bytes + generation.to_bytes(4)


def _mac(key: bytes, session_id: UUID, generation: int) -> bytes:
    return hmac.digest(key, _DOMAIN + _body(session_id, generation), "sha256")
