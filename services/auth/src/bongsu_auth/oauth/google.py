"""Google as a provider, or another OpenID Connect issuer in its place; and the People API for the extra profile."""

import httpx
from httpx_oauth.clients.google import GoogleOAuth2

from bongsu.mixins import Database
from bongsu_auth.oauth import profiles
from bongsu_auth.oauth.backend import CustomBackend
from bongsu_auth.oauth.clients import ProviderBody, SharedHttpClientMixin, get_json
from bongsu_auth.oauth.discovery import Discovery, Endpoints
from bongsu_auth.oauth.id_tokens import IdClaims, IdTokenVerifier
from bongsu_auth.oauth.identities import Identities
from bongsu_auth.oauth.port import AuthorizationRequest, Connection, Grant, IdTokenRefused, Profile, ProviderAccount

SITE = "https://accounts.google.com"
ISSUERS = (SITE, "accounts.google.com")
PEOPLE_API = "https://people.googleapis.com"
PERSON_FIELDS = "nicknames,birthdays,genders,phoneNumbers,locales"
EXTRA_SCOPES = frozenset(
    f"https://www.googleapis.com/auth/user.{name}.read"
    for name in ("phonenumbers", "birthday", "gender")
)  # fmt: skip


class _Metadata(ProviderBody):
    primary: bool = False


class _Date(ProviderBody):
    year: int | None = None
    month: int | None = None
    day: int | None = None


class _Entry(ProviderBody):
    """A value in one of a person's lists; its fields depend on the list."""

    metadata: _Metadata = _Metadata()
    value: str | None = None
    canonicalForm: str | None = None  # noqa: N815 - Google's spelling
    date: _Date | None = None


class _Person(ProviderBody):
    birthdays: tuple[_Entry, ...] = ()
    genders: tuple[_Entry, ...] = ()
    nicknames: tuple[_Entry, ...] = ()
    phoneNumbers: tuple[_Entry, ...] = ()  # noqa: N815 - Google's spelling
    locales: tuple[_Entry, ...] = ()


class _UserInfo(ProviderBody):
    sub: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    locale: str | None = None


class _Client(SharedHttpClientMixin, GoogleOAuth2):
    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http

    def use(self, endpoints: Endpoints) -> None:
        """Send requests to these endpoints."""
        self.authorize_endpoint = endpoints.authorization_endpoint
        self.access_token_endpoint = self.refresh_token_endpoint = endpoints.token_endpoint
        self.revoke_token_endpoint = endpoints.revocation_endpoint


class GoogleBackend(CustomBackend):
    """Fulfils `Provider`. The endpoints come from the issuer's discovery document.

    :param connection: `base_url` is the issuer in place of https://accounts.google.com. `api_url`, if set, is its
        address for our requests, and stands for https://people.googleapis.com.
    """

    name = "google"
    label = "Google"

    def __init__(
        self, connection: Connection, http: httpx.AsyncClient, identities: Identities, database: Database
    ) -> None:
        self._google = _Client(connection, http)
        super().__init__(self._google, connection, http, identities, database)
        issuer = connection.base_url or SITE
        self._discovery = Discovery(http, issuer=issuer, url=connection.api_url or issuer)
        self._people_api = connection.api_url or (PEOPLE_API if connection.base_url is None else None)
        self._id_tokens = IdTokenVerifier(http, client_id=connection.client_id)

    async def prepare(self) -> None:
        """See the base class: read the endpoints."""
        async with self._request():
            self._google.use(await self._discovery.load())

    def extra_parameters(self, request: AuthorizationRequest) -> dict[str, str]:
        """See the base class. Google gives a refresh token for offline access only."""
        return {"nonce": request.nonce, "access_type": "offline"}

    async def is_issuer(self, issuer: str) -> bool:
        """See the base class."""
        async with self._request():
            return issuer in _issuers_of(await self._discovery.load())

    async def fetch_account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """Read the account from the ID token; the address also from userinfo, where some issuers have it."""
        async with self._request():
            endpoints = await self._discovery.load()
            claims: IdClaims | _UserInfo = await self._id_tokens.verify(
                grant.id_token, nonce=nonce, keys_url=endpoints.jwks_uri, issuers=_issuers_of(endpoints)
            )
            subject = claims.sub
            if claims.email is None and endpoints.userinfo_endpoint is not None:
                body = await get_json(self._http, endpoints.userinfo_endpoint, grant.access_token)
                claims = _UserInfo.model_validate(body)
                if claims.sub != subject:
                    raise IdTokenRefused("userinfo is another user's")
            return ProviderAccount(
                subject=profiles.subject(subject),
                email=claims.email,
                email_verified=claims.email_verified,
                profile=Profile(
                    name=profiles.text(claims.name),
                    picture=profiles.picture(claims.picture),
                    locale=profiles.locale(claims.locale),
                ),
            )

    async def revoke(self, access_token: str) -> None:
        """See the base class. An issuer without a revocation endpoint forgets tokens when they expire."""
        await self.prepare()
        if self._google.revoke_token_endpoint is not None:
            await super().revoke(access_token)

    async def fetch_extra_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Fetch the person. It needs scopes that are not requested by default."""
        if self._people_api is None or not EXTRA_SCOPES.intersection(scopes):
            return Profile()
        async with self._request():
            body = await get_json(
                self._http, f"{self._people_api}/v1/people/me", access_token, personFields=PERSON_FIELDS
            )
            person = _Person.model_validate(body)
        phone, born = _primary(person.phoneNumbers), _primary(person.birthdays)
        date = born.date or _Date()
        return Profile(
            nickname=profiles.text(_primary(person.nicknames).value),
            phone_number=profiles.phone_number(phone.canonicalForm or phone.value),
            gender=profiles.gender(_primary(person.genders).value),
            birth_year=profiles.birth_year(date.year),
            birthday=profiles.birthday(date.month, date.day),
            locale=profiles.locale(_primary(person.locales).value),
        )


def _issuers_of(endpoints: Endpoints) -> tuple[str, ...]:
    return ISSUERS if endpoints.issuer == SITE else (endpoints.issuer,)


def _primary(entries: tuple[_Entry, ...]) -> _Entry:
    """Return the entry that the person has chosen. Google lists others as well."""
    return next((entry for entry in entries if entry.metadata.primary), _Entry())
