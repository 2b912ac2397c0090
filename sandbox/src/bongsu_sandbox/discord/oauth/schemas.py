"""The parameters of an authorization URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.settings import is_local_url

SCOPES = frozenset(
    {"identify", "email", "guilds", "guilds.members.read", "connections", "openid", "bot", "applications.commands"}
)


class WrongRequest(Exception):
    """An invalid request that must not be redirected to the address that it names. A page shows the reason."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorization request. `guild_id` is the guild for the bot, fixed if `guild_fixed`."""

    scopes: tuple[str, ...]
    redirect_uri: str
    state: str | None
    code_challenge: str | None
    permissions: int
    guild_id: int | None
    guild_fixed: bool
    prompt: str

    @property
    def installs_bot(self) -> bool:
        return "bot" in self.scopes

    @property
    def redirect_origin(self) -> str:
        """Scheme, host and port of the redirect address."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"

    def redirect_url(self, **parameters: str) -> str:
        """Return the redirect address with a code."""
        if self.state is not None:
            parameters["state"] = self.state
        separator = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{separator}{urlencode(parameters)}"

    def denial_url(self) -> str:
        """Return the redirect address after a refusal."""
        description = "The resource owner or authorization server denied the request"
        return self.redirect_url(error="access_denied", error_description=description)


def read(query: Mapping[str, str], application: Application) -> AuthorizationRequest:
    """Parse the query of an authorization URL.

    :raises WrongRequest: with Discord's message.
    """
    if parse(query.get("client_id")) != application.id:
        raise WrongRequest("Unknown Application")
    redirect_uri = query.get("redirect_uri", "")
    known = redirect_uri in application.redirect_uris if application.redirect_uris else is_local_url(redirect_uri)
    if not redirect_uri and "bot" in query.get("scope", "") and "response_type" not in query:
        raise WrongRequest("Integration requires code grant")
    if not known:
        raise WrongRequest("Invalid OAuth2 redirect_uri")
    if query.get("response_type") != "code":
        raise WrongRequest("Unsupported response type: ask for a code")
    scopes = tuple(dict.fromkeys(query.get("scope", "").split()))
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise WrongRequest(f"Invalid scope: {' '.join(wrong) or '(none)'}")
    challenge = query.get("code_challenge")
    if challenge is not None and query.get("code_challenge_method") != "S256":
        raise WrongRequest("The code challenge's method must be S256")
    guild_id = query.get("guild_id")
    if guild_id is not None and parse(guild_id) is None:
        raise WrongRequest("guild_id is not a snowflake")
    return AuthorizationRequest(
        scopes=scopes,
        redirect_uri=redirect_uri,
        state=query.get("state"),
        code_challenge=challenge,
        permissions=parse(query.get("permissions")) or 0,
        guild_id=parse(guild_id),
        guild_fixed=query.get("disable_guild_select") == "true",
        prompt=query.get("prompt", "consent"),
    )
