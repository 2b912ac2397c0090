"""Protection against other sites: security headers and CSRF tokens."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bongsu.identity import base64url

MAIL_HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
"""For the HTML of a mail in a frame: no script, no form, no navigation, and nothing is loaded from anywhere."""
CSRF_HEADER: Final = "x-csrf-token"
_PAD_BYTES: Final = 8


def security_headers(*, images: tuple[str, ...], form_targets: tuple[str, ...], https: bool) -> Mapping[str, str]:
    """Return the headers of every response.

    :param images: other origins that images may come from.
    :param form_targets: other origins that the response to a form may redirect to.
    """
    policy = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", *images),
        "connect-src": ("'self'",),
        "frame-src": ("'self'",),
        "form-action": ("'self'", *form_targets),
        "frame-ancestors": ("'none'",),
        "base-uri": ("'none'",),
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class SecurityHeaders:
    """ASGI middleware: adds the headers to every response that does not set them, errors and static files included."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self.app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # Handled as a GET; the server omits the body.
            scope = {**scope, "method": "GET"}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in self._headers if name not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def new_secret() -> str:
    """Generate the secret that a browser stores for its CSRF tokens."""
    return secrets.token_urlsafe(32)


def form_token(secret: str, session_id: str) -> str:
    """Return a CSRF token for this browser and session. It differs each time, against compression attacks (BREACH)."""
    pad = secrets.token_bytes(_PAD_BYTES)
    return base64url.encode(pad + _mac(secret, session_id, pad))


def is_form_token(token: str, secret: str, session_id: str) -> bool:
    """Whether a CSRF token belongs to this browser and session."""
    try:
        raw = base64url.decode(token)
    except ValueError:
        return False
    pad, mac = raw[:_PAD_BYTES], raw[_PAD_BYTES:]
    return bool(secret) and hmac.compare_digest(mac, _mac(secret, session_id, pad))


def _mac(secret: str, session_id: str, pad: bytes) -> bytes:
    return hmac.new(secret.encode(), pad + session_id.encode(), hashlib.sha256).digest()
