"""The cookies of a browser's session, named so that a browser guards them, or so that two demos on one host can."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class CookieJar:
    """Names and attributes of our cookies, which follow from the public URL."""

    access: str
    refresh: str
    registration: str
    device: str
    secure: bool

    @classmethod
    def of(cls, public_url: str) -> "CookieJar":
        """`__Host-` and `__Secure-` names on https; plain ones with the port on http."""
        parts = urlsplit(public_url)
        if parts.scheme == "https":
            return cls("__Host-access", "__Secure-refresh", "__Secure-registration", "__Secure-device", secure=True)
        port = parts.port or 80
        return cls(f"access-{port}", f"refresh-{port}", f"registration-{port}", f"device-{port}", secure=False)

    def set(self, response: Response, name: str, value: str, *, max_age_s: int) -> None:
        """Sets one of them. The access token goes to every path, the others to auth only."""
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
        """Takes one of them away."""
        response.delete_cookie(name, path=self._path(name), secure=self.secure, httponly=True, samesite="lax")

    def _path(self, name: str) -> str:
        return "/" if name == self.access else "/auth"
