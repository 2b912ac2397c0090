"""Kakao as a provider. Each member of its profile can be missing: the user did not agree, or the app may not ask."""

import json

import httpx
from httpx_oauth.clients.kakao import KakaoOAuth2
from httpx_oauth.exceptions import GetProfileError
from pydantic import BaseModel, ConfigDict

from bongsu_auth.oauth import facts
from bongsu_auth.oauth.clients import OnOneHttp, asking, authorization_url, grant_of
from bongsu_auth.oauth.id_tokens import IdTokenVerifier
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, IdTokenRefused, Profile, ProviderAccount

SITE = "https://kauth.kakao.com"
API = "https://kapi.kakao.com"
PROPERTY_KEYS = tuple(
    f"kakao_account.{name}"
    for name in ("email", "name", "profile", "phone_number", "birthyear", "birthday", "gender", "age_range")
)


class _Profile(BaseModel):
    nickname: str | None = None
    profile_image_url: str | None = None


class _Account(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    email: str | None = None
    is_email_valid: bool = False
    is_email_verified: bool = False
    name: str | None = None
    profile: _Profile | None = None
    phone_number: str | None = None
    birthyear: str | None = None
    birthday: str | None = None
    birthday_type: str | None = None
    gender: str | None = None
    age_range: str | None = None


class _User(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    id: int
    kakao_account: _Account | None = None


class _Client(OnOneHttp, KakaoOAuth2):
    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/oauth/authorize"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{connection.api_url or SITE}/oauth/token"


class Kakao:
    """Fulfils `Provider`.

    :param connection: `base_url` stands for https://kauth.kakao.com; `api_url`, where it is set, for that and for
        https://kapi.kakao.com, seen from here.
    """

    name = "kakao"
    label = "Kakao"

    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        self._http = http
        self._client = _Client(connection, http)
        self._api = connection.api_url or API
        self._has_id_token = "openid" in connection.scopes
        self._id_tokens = IdTokenVerifier(
            http,
            keys_url=f"{connection.api_url or SITE}/.well-known/jwks.json",
            issuers=(connection.base_url or SITE,),
            client_id=connection.client_id,
        )

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """See the port."""
        nonce = {"nonce": request.nonce} if self._has_id_token else {}
        return await authorization_url(self._client, request, {**request.more, **nonce})

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """See the port."""
        async with asking(self.name):
            return grant_of(await self._client.get_access_token(code, redirect_uri, verifier))

    async def account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """See the port."""
        async with asking(self.name):
            user = await self._user(grant.access_token)
            if self._has_id_token:
                claims = await self._id_tokens.verify(grant.id_token, nonce=nonce)
                if claims.sub != str(user.id):
                    raise IdTokenRefused("it is another's")
        known = user.kakao_account or _Account()
        shown = known.profile or _Profile()
        month, day = (known.birthday or "")[:2], (known.birthday or "")[2:]
        return ProviderAccount(
            subject=facts.subject(str(user.id)),
            email=known.email,
            # Valid: it has not been taken over by another Kakao account. Only both together make it theirs.
            email_verified=known.is_email_valid and known.is_email_verified,
            profile=Profile(
                name=facts.text(known.name),
                nickname=facts.text(shown.nickname),
                picture=facts.picture(shown.profile_image_url),
                phone_number=facts.phone_number(known.phone_number),
                gender=facts.gender(known.gender),
                birth_year=facts.birth_year(known.birthyear),
                birthday=facts.birthday(month, day) if known.birthday_type != "LUNAR" else None,
                age_range=facts.age_range(known.age_range),
                locale="ko",
            ),
        )

    async def more_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Kakao has told it all already."""
        del access_token, scopes
        return Profile()

    async def renew(self, refresh_token: str) -> Grant:
        """See the port. The answer has a refresh token only if the old one is about to expire."""
        async with asking(self.name):
            return grant_of(await self._client.refresh_token(refresh_token))

    async def revoke(self, access_token: str) -> None:
        """See the port. Kakao calls it unlinking."""
        async with asking(self.name):
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
