"""Discord as a provider, and as the source of a user's guilds."""

from typing import Annotated

import httpx
from httpx_oauth.clients.discord import DiscordOAuth2
from pydantic import Field, TypeAdapter

from bongsu.mixins import Database
from bongsu_auth.guilds.port import Guild
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.backend import CustomBackend
from bongsu_auth.oauth.clients import ProviderBody, SharedHttpClientMixin, get_json
from bongsu_auth.oauth.identities import Identities
from bongsu_auth.oauth.port import Connection, Grant, Profile, ProviderAccount

SITE = "https://discord.com"
CDN = "https://cdn.discordapp.com"
MAX_GUILDS = 200


class _User(ProviderBody):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    username: str | None = None
    global_name: str | None = None
    avatar: str | None = None
    locale: str | None = None
    email: str | None = None
    verified: bool = False


class _Guild(ProviderBody):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    name: str = ""
    icon: str | None = None
    owner: bool = False
    permissions: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")] = "0"


_GUILDS = TypeAdapter(list[_Guild])


class _Client(SharedHttpClientMixin, DiscordOAuth2):
    def __init__(self, connection: Connection, api_url: str, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/oauth2/authorize"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{api_url}/oauth2/token"
        self.revoke_token_endpoint = f"{self.access_token_endpoint}/revoke"


class DiscordBackend(CustomBackend):
    """Fulfils `Provider` and `GuildSource`.

    The account's response holds the whole profile, so there is no extra profile to fetch. `profiles.fill_empty_fields`
    copies what the user lacks.

    :param connection: `base_url` stands for https://discord.com, `api_url` for https://discord.com/api.
    """

    name = "discord"
    label = "Discord"

    def __init__(
        self, connection: Connection, http: httpx.AsyncClient, identities: Identities, database: Database
    ) -> None:
        api_url = connection.api_url or f"{connection.base_url or SITE}/api"
        super().__init__(_Client(connection, api_url, http), connection, http, identities, database)
        self._api = f"{api_url}/v10"

    async def fetch_account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """See the base class."""
        del nonce  # Discord issues no ID token
        async with self._request():
            body = await get_json(self._http, f"{self._api}/users/@me", grant.access_token)
            user = _User.model_validate(body)
            if "email" in (grant.scopes or ()) and "email" not in user.model_fields_set:
                # Without the address, an existing account would not be found, and a second one created.
                raise KeyError("email")
        avatar = f"{CDN}/avatars/{user.id}/{user.avatar}.png" if profiles.is_image_hash(user.avatar) else None
        return ProviderAccount(
            subject=user.id,
            email=user.email,
            email_verified=user.verified,
            profile=Profile(
                name=profiles.text(user.global_name) or profiles.text(user.username),
                nickname=profiles.text(user.username),
                picture=profiles.picture(avatar),
                locale=profiles.locale(user.locale),
            ),
        )

    async def revoke(self, access_token: str) -> None:
        """Revoke our access. Discord revokes every token of the user with us."""
        async with self._request():
            await self._client.revoke_token(access_token, "access_token")

    async def list_guilds(self, access_token: str) -> tuple[Guild, ...]:
        """Return the guilds that the user is in (Discord allows 200), with the user's permissions."""
        async with self._request():
            body = await get_json(self._http, f"{self._api}/users/@me/guilds", access_token, limit=str(MAX_GUILDS))
            found = _GUILDS.validate_python(body)
        return tuple(
            Guild(
                id=guild.id,
                name=profiles.text(guild.name) or guild.id,
                icon=guild.icon if profiles.is_image_hash(guild.icon) else None,
                owner=guild.owner,
                permissions=int(guild.permissions),
            )
            for guild in found
        )
