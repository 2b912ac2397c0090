"""What a client shows to a token endpoint."""

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import unquote_plus


def read_credentials(form: Mapping[str, str], authorization: str | None) -> tuple[str, str] | None:
    """Return the client's ID and secret, from the header (Basic) or from the form; None if the header is malformed."""
    if authorization is None or not authorization.startswith("Basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
    except ValueError:
        return None
    return unquote_plus(client_id), unquote_plus(secret)


def challenge_of(verifier: str) -> str:
    """Return the S256 code challenge of a code verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
