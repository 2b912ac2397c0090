"""Google as a provider: OpenID Connect, and the People API for what its ID token does not tell."""

import httpx
from httpx_oauth.clients.google import GoogleOAuth2
from pydantic import BaseModel, ConfigDict

from bongsu_auth.oauth import facts
from bongsu_auth.oauth.clients import OnOneHttp, asking, authorization_url, get_json, grant_of
from bongsu_auth.oauth.id_tokens import IdTokenVerifier
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, Profile, ProviderAccount

SITE = "https://accounts.google.com"
ISSUERS = (SITE, "accounts.google.com")
PERSON_FIELDS = "names,nicknames,photos,birthdays,genders,phoneNumbers"
EXTRA_SCOPES = frozenset(
    f"https://www.googleapis.com/auth/user.{name}.read"
    for name in ("phonenumbers", "birthday", "gender")
)  # fmt: skip


class _Metadata(BaseModel):
    primary: bool = False


class _Date(BaseModel):
    year: int | None = None
    month: int | None = None
    day: int | None = None


class _Entry(BaseModel):
    """One value of a person; which members it has depends on the list that it is in."""

    model_config = ConfigDict(hide_input_in_errors=True)

    metadata: _Metadata = _Metadata()
    value: str | None = None
    canonicalForm: str | None = None  # noqa: N815 - Google's spelling
    date: _Date | None = None


class _Person(BaseModel):
    birthdays: list[_Entry] = []
    genders: list[_Entry] = []
    nicknames: list[_Entry] = []
    phoneNumbers: list[_Entry] = []  # noqa: N815 - Google's spelling


class _Client(OnOneHttp, GoogleOAuth2):
    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/o/oauth2/v2/auth"
        token_api = connection.api_url or "https://oauth2.googleapis.com"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{token_api}/token"
        self.revoke_token_endpoint = f"{token_api}/revoke"


class Google:
    """Fulfils `Provider`.

    :param connection: `base_url` stands for https://accounts.google.com; `api_url`, where it is set, for all of
        https://oauth2.googleapis.com, https://www.googleapis.com and https://people.googleapis.com.
    """

    name = "google"
    label = "Google"

    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        self._http = http
        self._client = _Client(connection, http)
        self._people_url = f"{connection.api_url or 'https://people.googleapis.com'}/v1/people/me"
        self._id_tokens = IdTokenVerifier(
            http,
            keys_url=f"{connection.api_url or 'https://www.googleapis.com'}/oauth2/v3/certs",
            issuers=(connection.base_url,) if connection.base_url else ISSUERS,
            client_id=connection.client_id,
        )

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """See the port."""
        return await authorization_url(self._client, request, {**request.more, "nonce": request.nonce})

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        """See the port."""
        async with asking(self.name):
            return grant_of(await self._client.get_access_token(code, redirect_uri, verifier))

    async def account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """See the port. The ID token tells it all."""
        async with asking(self.name):
            claims = await self._id_tokens.verify(grant.id_token, nonce=nonce)
            return ProviderAccount(
                subject=facts.subject(claims.sub),
                email=claims.email,
                email_verified=claims.email_verified,
                profile=Profile(
                    name=facts.text(claims.name),
                    picture=facts.picture(claims.picture),
                    locale=facts.locale(claims.locale),
                ),
            )

    async def more_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """See the port. It needs scopes that are not asked for by default."""
        if not EXTRA_SCOPES.intersection(scopes):
            return Profile()
        async with asking(self.name):
            answer = await get_json(self._http, self._people_url, access_token, personFields=PERSON_FIELDS)
            person = _Person.model_validate(answer)
        phone, born = _primary(person.phoneNumbers), _primary(person.birthdays)
        date = born.date or _Date()
        return Profile(
            nickname=facts.text(_primary(person.nicknames).value),
            phone_number=facts.phone_number(phone.canonicalForm or phone.value),
            gender=facts.gender(_primary(person.genders).value),
            birth_year=facts.birth_year(date.year),
            birthday=facts.birthday(date.month, date.day),
        )

    async def renew(self, refresh_token: str) -> Grant:
        """See the port."""
        async with asking(self.name):
            return grant_of(await self._client.refresh_token(refresh_token))

    async def revoke(self, access_token: str) -> None:
        """See the port."""
        async with asking(self.name):
            await self._client.revoke_token(access_token)


def _primary(entries: list[_Entry]) -> _Entry:
    """The one that the person has chosen; Google lists others as well."""
    return next((entry for entry in entries if entry.metadata.primary), _Entry())
