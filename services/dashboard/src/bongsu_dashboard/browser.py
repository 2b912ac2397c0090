"""The browser for which the dashboard calls another service."""

import json
from dataclasses import dataclass, field
from typing import NewType

from bongsu.identity import base64url

SetCookie = NewType("SetCookie", str)
"""A `Set-Cookie` header's value."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """An address on another site to send the browser to, and the cookies that identify the browser on its return."""

    url: str
    cookies: tuple[SetCookie, ...] = ()


@dataclass(frozen=True, slots=True)
class Browser:
    """The parts of a browser's request that the dashboard passes on.

    `cookies` are auth's registration, device and second-factor cookies, without the tokens.
    """

    access_token: str | None = None
    addresses: str | None = None
    user_agent: str | None = None
    language: str = "ko"
    request_id: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """Return the headers of a request on behalf of this browser."""
        given = {
            "Authorization": f"Bearer {self.access_token}" if self.access_token else None,
            "X-Forwarded-For": self.addresses,
            "User-Agent": self.user_agent,
            "Accept-Language": self.language,
            "X-Request-Id": self.request_id,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None,
        }
        # A browser may send bytes that are not text; no header that auth or notify read holds any.
        return {name: value.encode("ascii", "ignore").decode() for name, value in given.items() if value is not None}

    @property
    def session_id(self) -> str:
        """The session ID in the access token. Unverified: use it only to bind a form to a session."""
        return str(_claims(self.access_token).get("sid", "")) if self.access_token else ""

    @property
    def auth_time(self) -> int:
        """When the user authenticated, in seconds since 1970. Unverified: auth decides what it allows."""
        at = _claims(self.access_token).get("auth_time") if self.access_token else None
        return at if isinstance(at, int) else 0


def _claims(token: str) -> dict[str, object]:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64url.decode(payload))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
