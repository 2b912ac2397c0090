"""The cookies of a browser's session, named so that a browser guards them, or so that two demos on one host can."""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class AuthCookies:
    """Names and attributes of our cookies, which follow from the public URL."""

    access: str
    refresh: str
    registration: str
    device: str
    flow: str
    """How the names of the cookies of sign-ins at providers begin."""
    secure: bool

    @classmethod
    def of(cls, public_url: str) -> "AuthCookies":
        """`__Host-` and `__Secure-` names on https; plain ones with the port on http."""
        parts = urlsplit(public_url)
        if parts.scheme == "https":
            return cls(
                access="__Host-access",
                refresh="__Secure-refresh",
                registration="__Secure-registration",
                device="__Secure-device",
                flow="__Host-flow-",
                secure=True,
            )
        port = parts.port or 80
        return cls(
            access=f"access-{port}",
            refresh=f"refresh-{port}",
            registration=f"registration-{port}",
            device=f"device-{port}",
            flow=f"flow-{port}-",
            secure=False,
        )

    def flow_of(self, state: str) -> str:
        """The name of the cookie of one sign-in at a provider, so that two at once do not disturb each other."""
        return self.flow + hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def set(self, response: Response, name: str, value: str, *, max_age_s: int) -> None:
        """Sets one of them. The access token and the flows' go to every path, the others to auth only."""
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
        # A browser takes a `__Host-` cookie for the path / only.
        return "/" if name == self.access or name.startswith(self.flow) else "/auth"
