"""The parameters of an authorization URL (OAuth 2.0), as the stand-ins share them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bongsu_sandbox.settings import is_local_url


class WrongRequest(Exception):
    """An invalid request that must not be redirected to the address that it names. A page shows the reason."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorization request."""

    scopes: tuple[str, ...]
    redirect_uri: str
    state: str | None
    code_challenge: str | None
    prompt: str
    nonce: str | None = None

    @property
    def redirect_origin(self) -> str:
        """Scheme, host and port of the redirect address."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"

    def redirect_url(self, **parameters: str) -> str:
        """Return the redirect address with a code or an error."""
        if self.state is not None:
            parameters["state"] = self.state
        separator = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{separator}{urlencode(parameters)}"

    def denial_url(self) -> str:
        """Return the redirect address after a refusal."""
        description = "The resource owner or authorization server denied the request"
        return self.redirect_url(error="access_denied", error_description=description)


@dataclass(frozen=True)
class Client:
    """The application that the stand-in knows.

    :param redirect_uris: where a sign-in may lead; empty for anywhere on this machine.
    """

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()

    def may_redirect_to(self, redirect_uri: str) -> bool:
        """Whether a sign-in may lead to this address."""
        return redirect_uri in self.redirect_uris if self.redirect_uris else is_local_url(redirect_uri)


def read_challenge(query: Mapping[str, str]) -> str | None:
    """Return the code challenge (RFC 7636).

    :raises WrongRequest: its method is not S256.
    """
    challenge = query.get("code_challenge")
    if challenge is not None and query.get("code_challenge_method") != "S256":
        raise WrongRequest("The code challenge's method must be S256")
    return challenge
