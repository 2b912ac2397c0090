"""What keeps other sites out: the headers of every answer, and the token in every form."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER: Final = "x-csrf-token"
_PAD_BYTES: Final = 8


def security_headers(*, images: tuple[str, ...], form_targets: tuple[str, ...], https: bool) -> Mapping[str, str]:
    """The headers of every answer.

    :param images: origins besides our own that pictures may come from.
    :param form_targets: origins besides our own that a form's answer may redirect to.
    """
    policy = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", *images),
        "connect-src": ("'self'",),
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
    """ASGI middleware: the headers of every answer, errors and static files included."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self.app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # Answered as a GET; the server leaves the body out.
            scope = {**scope, "method": "GET"}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self.app(scope, receive, send_guarded)


def new_secret() -> str:
    """What a browser keeps in its cookie for the forms' tokens."""
    return secrets.token_urlsafe(32)


def form_token(secret: str, session_id: str) -> str:
    """The token of this browser's forms in this session: it differs each time, so that compression tells nothing."""
    pad = secrets.token_bytes(_PAD_BYTES)
    return base64.urlsafe_b64encode(pad + _mac(secret, session_id, pad)).decode().rstrip("=")


def is_form_token(token: str, secret: str, session_id: str) -> bool:
    """Whether a token was made for this browser and this session."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return False
    pad, mac = raw[:_PAD_BYTES], raw[_PAD_BYTES:]
    return bool(secret) and hmac.compare_digest(mac, _mac(secret, session_id, pad))


def _mac(secret: str, session_id: str, pad: bytes) -> bytes:
    return hmac.new(secret.encode(), pad + session_id.encode(), hashlib.sha256).digest()
