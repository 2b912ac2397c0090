"""The dashboard's own cookies. None holds anything that another browser could use, or that says who somebody is."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

YEAR_S: Final = 365 * 86_400
RENEWING_S: Final = 15
FLASH_S: Final = 60


@dataclass(frozen=True, slots=True)
class PageCookies:
    """Names, which follow from the public URL as those of the tokens do."""

    form: str
    theme: str
    language: str
    flash: str
    pending: str
    renewing: str
    secure: bool

    @classmethod
    def of(cls, public_url: str) -> "PageCookies":
        """`__Host-` names on https; plain ones with the port on http."""
        parts = urlsplit(public_url)
        https = parts.scheme == "https"
        port = parts.port or 80

        def name(of: str) -> str:
            return f"__Host-{of}" if https else f"{of}-{port}"

        return cls(
            name("form"), name("theme"), name("language"), name("flash"), name("pending"), name("renewing"), https
        )

    def set(self, response: Response, name: str, value: str, *, max_age_s: int | None = None) -> None:
        """Set one; without an age it ends with the browser."""
        response.set_cookie(name, value, max_age=max_age_s, path="/", secure=self.secure, httponly=True, samesite="lax")

    def clear(self, response: Response, name: str) -> None:
        """Take one away."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")
