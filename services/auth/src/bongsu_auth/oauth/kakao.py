"""Kakao as a provider. Each field of its profile can be missing: without consent, or if the app may not request it."""

import json
from typing import Annotated

import httpx
from httpx_oauth.clients.kakao import KakaoOAuth2
from httpx_oauth.exceptions import GetProfileError
from pydantic import Field

from bongsu.mixins import Database
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.backend import CustomBackend
from bongsu_auth.oauth.clients import ProviderBody, SharedHttpClientMixin
from bongsu_auth.oauth.id_tokens import IdTokenVerifier
from bongsu_auth.oauth.identities import Identities
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, IdTokenRefused, Profile, ProviderAccount

SITE = "https://kauth.kakao.com"
API = "https://kapi.kakao.com"
PROPERTY_KEYS = tuple(
    f"kakao_account.{name}"
    for name in ("email", "name", "profile", "phone_number", "birthyear", "birthday", "gender", "age_range")
)


class _Profile(ProviderBody):
    nickname: str | None = None
    profile_image_url: str | None = None


class _Account(ProviderBody):
    email: str | None = None
    is_email_valid: bool = False
    is_email_verified: bool = False
    name: str | None = None
    profile: _Profile | None = None
    phone_number: str | None = None
    birthyear: str | int | None = None
    birthday: str | None = None
    birthday_type: str | None = None
    gender: str | None = None
    age_range: str | None = None


class _User(ProviderBody):
    id: Annotated[int, Field(strict=True, gt=0, lt=2**63)]
    kakao_account: _Account | None = None


class _Client(SharedHttpClientMixin, KakaoOAuth2):
    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/oauth/authorize"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{connection.api_url or SITE}/oauth/token"


class KakaoBackend(CustomBackend):
    """Fulfils `Provider`. The account's response holds the whole profile: no second request is needed.

    :param connection: `base_url` stands for https://kauth.kakao.com; `api_url`, if set, for that and for
        https://kapi.kakao.com.
    """

    name = "kakao"
    label = "Kakao"

    def __init__(
        self, connection: Connection, http: httpx.AsyncClient, identities: Identities, database: Database
    ) -> None:
        super().__init__(_Client(connection, http), connection, http, identities, database)
        self._api = connection.api_url or API
        self._has_id_token = "openid" in connection.scopes
        self._id_tokens = IdTokenVerifier(http, client_id=connection.client_id)
        self._keys_url = f"{connection.api_url or SITE}/.well-known/jwks.json"
        self._issuers = (connection.base_url or SITE,)

    def extra_parameters(self, request: AuthorizationRequest) -> dict[str, str]:
        """See the base class."""
        return {"nonce": request.nonce} if self._has_id_token else {}

    async def is_issuer(self, issuer: str) -> bool:
        """See the base class."""
        return issuer in self._issuers

    async def fetch_account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """See the base class."""
        async with self._request():
            user = await self._user(grant.access_token)
            if self._has_id_token:
                claims = await self._id_tokens.verify(
                    grant.id_token, nonce=nonce, keys_url=self._keys_url, issuers=self._issuers
                )
                if claims.sub != str(user.id):
                    raise IdTokenRefused("the subject is another user")
        account = user.kakao_account or _Account()
        profile = account.profile or _Profile()
        month, day = (account.birthday or "")[:2], (account.birthday or "")[2:]
        return ProviderAccount(
            subject=profiles.subject(str(user.id)),
            email=account.email,
            # Valid: no other Kakao account has taken over the address. Ownership takes both.
            email_verified=account.is_email_valid and account.is_email_verified,
            profile=Profile(
                name=profiles.text(account.name),
                nickname=profiles.text(profile.nickname),
                picture=profiles.picture(profile.profile_image_url),
                phone_number=profiles.phone_number(account.phone_number),
                gender=profiles.gender(account.gender),
                birth_year=profiles.birth_year(account.birthyear),
                birthday=profiles.birthday(month, day) if account.birthday_type != "LUNAR" else None,
                age_range=profiles.age_range(account.age_range),
                locale="ko",
            ),
        )

    async def revoke(self, access_token: str) -> None:
        """Revoke our access, which Kakao calls unlinking."""
        async with self._request():
            await self._post("/v1/user/unlink", access_token)

    async def _user(self, access_token: str) -> _User:
        return _User.model_validate(
            (await self._post("/v2/user/me", access_token, property_keys=json.dumps(PROPERTY_KEYS))).json()
        )

    async def _post(self, path: str, access_token: str, **form: str) -> httpx.Response:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
        response = await self._http.post(f"{self._api}{path}", data=form, headers=headers)
        if response.status_code != httpx.codes.OK:
            raise GetProfileError(response=response)
        return response
