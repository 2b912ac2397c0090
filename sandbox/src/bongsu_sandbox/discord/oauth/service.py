"""OAuth codes and tokens."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu_sandbox.discord.applications.models import Application
from bongsu_sandbox.discord.guilds.models import MANAGE_GUILD, Guild
from bongsu_sandbox.discord.guilds.service import Guilds
from bongsu_sandbox.discord.oauth.schemas import AuthorizationRequest
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.discord.users.personas import PERSONAS
from bongsu_sandbox.discord.wire import Wire
from bongsu_sandbox.discord.world import Grant, World
from bongsu_sandbox.faults.requests import RequestFaults
from bongsu_sandbox.sign_in.clients import challenge_of, read_credentials

CODE_S = 60.0
TOKEN_S = 604_800
ROUTE = "/oauth2/token"


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class _Code:
    request: AuthorizationRequest
    user_id: int
    guild_id: int | None
    made_at: float


class OAuth:
    """Issues codes to browsers and tokens to the application."""

    def __init__(self, application: Application, world: World, guilds: Guilds, faults: RequestFaults) -> None:
        self.application = application
        self.world = world
        self._guilds = guilds
        self._faults = faults
        self._codes: dict[str, _Code] = {}

    def manageable(self, user: User) -> list[Guild]:
        """List the guilds to which a user may add the bot."""
        return [guild for guild in self._guilds.list_of(user.id) if guild.permissions_of(user.id) & MANAGE_GUILD]

    def has_granted(self, user: User, request: AuthorizationRequest) -> bool:
        """Whether the user has granted these scopes before."""
        return any(grant.user_id == user.id and set(request.scopes) <= {*grant.scopes} for grant in self.world.grants)

    def allow(self, request: AuthorizationRequest, user: User, guild_id: int | None) -> str:
        """Grant the request. Returns the address to redirect to.

        :raises OAuthError: the bot cannot be added to that guild by this user.
        """
        parameters = {}
        if request.installs_bot:
            if request.guild_fixed:
                guild_id = request.guild_id
            if guild_id not in {guild.id for guild in self.manageable(user)}:
                raise OAuthError("access_denied", f"{user.name} may not add the bot to this server", 403)
            parameters = {"guild_id": str(guild_id), "permissions": str(request.permissions)}
        code = secrets.token_urlsafe(22)
        self._codes[code] = _Code(request, user.id, guild_id if request.installs_bot else None, time.monotonic())
        return request.redirect_url(code=code, **parameters)

    def token(self, form: Mapping[str, str], authorization: str | None) -> Wire:
        """Answer the token endpoint.

        :raises OAuthError: wrong client, code, token or grant type.
        """
        self._authenticate(form, authorization)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case "client_credentials":
                answer = self._issue(PERSONAS[0].id, form.get("scope", "identify").split())
                del answer["refresh_token"]
                return answer
            case _:
                raise OAuthError("unsupported_grant_type", "Grant type None is not supported")

    def revoke(self, form: Mapping[str, str], authorization: str | None) -> None:
        """Revoke a token; an unknown one is not an error.

        :raises OAuthError: not the application.
        """
        self._authenticate(form, authorization)
        token = form.get("token")
        self.world.grants = [one for one in self.world.grants if token not in {one.access_token, one.refresh_token}]
        self.world.save()

    def describe(self, grant: Grant) -> Wire:
        """Describe a grant, as `/oauth2/@me` does."""
        return {
            "application": self.application.to_wire(),
            "scopes": grant.scopes,
            "expires": grant.expires_at.isoformat(),
            "user": self.world.find_user(grant.user_id).to_wire(),
        }

    def _authenticate(self, form: Mapping[str, str], authorization: str | None) -> None:
        client_id, secret = read_credentials(form, authorization) or ("", "")
        known = client_id == str(self.application.id)
        if not known or not secrets.compare_digest(secret, self.application.client_secret):
            raise OAuthError("invalid_client", "Invalid client credentials", 401)

    def _exchange(self, form: Mapping[str, str]) -> Wire:
        code = self._codes.pop(form.get("code", ""), None)  # once, whatever comes of it
        if code is None or time.monotonic() - code.made_at > CODE_S:
            raise OAuthError("invalid_grant", 'Invalid "code" in request.')
        request = code.request
        if form.get("redirect_uri") != request.redirect_uri:
            raise OAuthError("invalid_grant", 'Invalid "redirect_uri" in request.')
        challenge = request.code_challenge
        if challenge is not None and challenge_of(form.get("code_verifier", "")) != challenge:
            raise OAuthError("invalid_grant", 'Invalid "code_verifier" in request.')
        answer = self._issue(code.user_id, [*request.scopes])
        if code.guild_id is not None:
            guild = self.world.find_guild(code.guild_id)
            self._guilds.join(guild, permissions=request.permissions)
            answer["guild"] = guild.to_wire()
        return answer

    def _refresh(self, form: Mapping[str, str]) -> Wire:
        token = form.get("refresh_token")
        grant = next((one for one in self.world.grants if one.refresh_token == token), None)
        if grant is None:
            raise OAuthError("invalid_grant", 'Invalid "refresh_token" in request.')
        self.world.grants.remove(grant)
        return self._issue(grant.user_id, grant.scopes)

    def _issue(self, user_id: int, scopes: list[str]) -> Wire:
        now = datetime.now(UTC)
        grant = Grant(
            user_id=user_id,
            scopes=scopes,
            access_token=self._faults.token(ROUTE, secrets.token_urlsafe(22)),
            refresh_token=self._faults.token(ROUTE, secrets.token_urlsafe(22)),
            expires_at=now + timedelta(seconds=TOKEN_S),
        )
        kept = [one for one in self.world.grants if one.expires_at > now - timedelta(days=30)]
        self.world.grants = [*kept, grant]
        self.world.save()
        return {
            "token_type": "Bearer",
            "access_token": grant.access_token,
            "expires_in": TOKEN_S,
            "refresh_token": grant.refresh_token,
            "scope": " ".join(scopes),
        }
