"""The cookies of a browser's session, and which pages may make a browser send them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class AuthCookies:
    """Names and attributes of the cookies that auth sets, derived from the public URL."""

    access: str
    refresh: str
    """Its `__Secure-` name lets a subdomain set it: a browser's token counts only together with the device's cookie."""
    registration: str
    device: str
    mfa: str
    """The token of a sign-in that waits for the second factor."""
    flow: str
    """Of sign-ins at providers: one for all that run in a browser."""
    secure: bool

    @classmethod
    def of(cls, public_url: str) -> "AuthCookies":
        """`__Host-` and `__Secure-` names on https; names with the port on http, so that two demos can share a host."""
        parts = urlsplit(public_url)
        if parts.scheme == "https":
            return cls(
                access="__Host-access",
                refresh="__Secure-refresh",
                registration="__Host-registration",
                device="__Host-device",
                mfa="__Host-mfa",
                flow="__Host-flow",
                secure=True,
            )
        port = parts.port or 80
        return cls(
            access=f"access-{port}",
            refresh=f"refresh-{port}",
            registration=f"registration-{port}",
            device=f"device-{port}",
            mfa=f"mfa-{port}",
            flow=f"flow-{port}",
            secure=False,
        )

    def set(self, response: Response, name: str, value: str, *, max_age_s: int) -> None:
        """Set a cookie. That of the refresh token is sent to auth only, the others to every path."""
        response.set_cookie(
            name,
            value,
            max_age=max_age_s,
            path=self._path(name),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(name, path=self._path(name), secure=self.secure, httponly=True, samesite="lax")

    def _path(self, name: str) -> str:
        # Browsers accept a `__Host-` cookie with the path / only.
        return "/auth" if name == self.refresh else "/"


def is_same_origin(headers: Mapping[str, str], public_origin: str) -> bool:
    """Whether one of our pages, or no page at all, made a browser send a request.

    Browsers send at least one of the three fields with a cross-site post, old ones the referrer alone. A client that
    sends none is not a browser, and no page can make it send its user's cookies.

    :param headers: names in lower case, or a case-insensitive mapping.
    :param public_origin: such as `https://bongsu.example`.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None and (referrer := headers.get("referer")) is not None:
        origin = _origin_of(referrer)
    return origin in (None, public_origin)


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
