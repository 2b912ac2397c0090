"""The parameters of an authorization URL."""

from collections.abc import Mapping
from dataclasses import dataclass

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.snowflakes import parse
from bongsu_sandbox.settings import is_local_url
from bongsu_sandbox.sign_in import requests
from bongsu_sandbox.sign_in.requests import WrongRequest, read_challenge

SCOPES = frozenset(
    {"identify", "email", "guilds", "guilds.members.read", "connections", "openid", "bot", "applications.commands"}
)


@dataclass(frozen=True)
class AuthorizationRequest(requests.AuthorizationRequest):
    """A valid authorization request. `guild_id` is the guild for the bot, fixed if `guild_fixed`."""

    permissions: int = 0
    guild_id: int | None = None
    guild_fixed: bool = False

    @property
    def installs_bot(self) -> bool:
        return "bot" in self.scopes


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
    challenge = read_challenge(query)
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
