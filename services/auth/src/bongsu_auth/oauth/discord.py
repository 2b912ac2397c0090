"""Discord as a provider, and as the place where the user's guilds are."""

from typing import Annotated

import httpx
from httpx_oauth.clients.discord import DiscordOAuth2
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bongsu_auth.guilds.port import Guild
from bongsu_auth.oauth import facts
from bongsu_auth.oauth.clients import OnOneHttp, asking, authorization_url, get_json, grant_of
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, Profile, ProviderAccount

SITE = "https://discord.com"
CDN = "https://cdn.discordapp.com"
MAX_GUILDS = 200


class _User(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    username: str
    global_name: str | None = None
    avatar: str | None = None
    locale: str | None = None
    email: str | None = None
    verified: bool = False


class _Guild(BaseModel):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    name: str
    icon: str | None = None
    owner: bool = False
    permissions: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")] = "0"


_GUILDS = TypeAdapter(list[_Guild])


class _Client(OnOneHttp, DiscordOAuth2):
    def __init__(self, connection: Connection, api_url: str, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/oauth2/authorize"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{api_url}/oauth2/token"
        self.revoke_token_endpoint = f"{self.access_token_endpoint}/revoke"


class Discord:
    """Fulfils `Provider` and `GuildSource`.

    :param connection: `base_url` stands for https://discord.com, `api_url` for https://discord.com/api.
    """

    name = "discord"
    label = "Discord"

    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        api_url = connection.api_url or f"{connection.base_url or SITE}/api"
        self._http = http
        self._api = f"{api_url}/v10"
        self._client = _Client(connection, api_url, http)

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """See the port."""
        return await authorization_url(self._client, request, request.more)

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """See the port."""
        async with asking(self.name):
            return grant_of(await self._client.get_access_token(code, redirect_uri, verifier))

    async def account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """See the port."""
        del nonce  # no ID token is asked for
        async with asking(self.name):
            answer = await get_json(self._http, f"{self._api}/users/@me", grant.access_token)
            user = _User.model_validate(answer)
            if "email" in (grant.scopes or ()) and "email" not in user.model_fields_set:
                # Without it an account that exists would not be found, and a second one made.
                raise KeyError("email")
        avatar = f"{CDN}/avatars/{user.id}/{user.avatar}.png" if facts.is_image_hash(user.avatar) else None
        shown = facts.text(user.global_name) or facts.text(user.username)
        return ProviderAccount(
            subject=user.id,
            email=user.email,
            email_verified=user.verified,
            profile=Profile(
                name=shown,
                nickname=facts.text(user.username),
                picture=facts.picture(avatar),
                locale=facts.locale(user.locale),
            ),
        )

    async def more_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Discord tells no more."""
        del access_token, scopes
        return Profile()

    async def renew(self, refresh_token: str) -> Grant:
        """See the port."""
        async with asking(self.name):
            return grant_of(await self._client.refresh_token(refresh_token))

    async def revoke(self, access_token: str) -> None:
        """See the port. Discord revokes every token of the user and us with it."""
        async with asking(self.name):
            await self._client.revoke_token(access_token, "access_token")

    async def guilds(self, access_token: str) -> tuple[Guild, ...]:
        """The guilds that the user is in (Discord allows 200), with what they may do there."""
        async with asking(self.name):
            answer = await get_json(self._http, f"{self._api}/users/@me/guilds", access_token, limit=str(MAX_GUILDS))
            found = _GUILDS.validate_python(answer)
        return tuple(
            Guild(
                id=guild.id,
                name=facts.text(guild.name) or guild.id,
                icon=guild.icon if facts.is_image_hash(guild.icon) else None,
                owner=guild.owner,
                permissions=int(guild.permissions),
            )
            for guild in found
        )
