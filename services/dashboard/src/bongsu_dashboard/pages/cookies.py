"""The dashboard's own cookies. They hold neither credentials nor personal data."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

YEAR_S: Final = 365 * 86_400
RENEWING_S: Final = 15
MAX_RENEWALS: Final = 12
"""Redirects to renew the session within `RENEWING_S`, of all tabs together: browsers stop a loop at 20."""
FLASH_S: Final = 60


@dataclass(frozen=True, slots=True)
class PageCookies:
    """Cookie names, which depend on the public URL as those of the tokens do."""

    form: str
    theme: str
    language: str
    flash: str
    """The beginning of the names: each message is a cookie of its own, for one page."""
    pending: str
    renewing: str
    secure: bool

    @classmethod
    def of(cls, public_url: str) -> "PageCookies":
        """Return `__Host-` names for https, and plain names with the port for http."""
        parts = urlsplit(public_url)
        https = parts.scheme == "https"
        port = parts.port or 80

        def name(of: str) -> str:
            return f"__Host-{of}" if https else f"{of}-{port}"

        # A message has the path of its page, which the prefix `__Host-` does not allow.
        flash = "__Secure-flash-" if https else f"flash-{port}-"
        return cls(name("form"), name("theme"), name("language"), flash, name("pending"), name("renewing"), https)

    def set(self, response: Response, name: str, value: str, *, max_age_s: int | None = None, path: str = "/") -> None:
        """Set a cookie; without an age it is a session cookie."""
        response.set_cookie(
            name, value, max_age=max_age_s, path=path, secure=self.secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response, name: str, *, path: str = "/") -> None:
        response.delete_cookie(name, path=path, secure=self.secure, httponly=True, samesite="lax")
