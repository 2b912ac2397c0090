"""Google as a provider: OpenID Connect, and the People API for the extra profile."""

import httpx
from httpx_oauth.clients.google import GoogleOAuth2
from pydantic import BaseModel, ConfigDict

from bongsu.mixins import Database
from bongsu_auth.oauth import profile_fields
from bongsu_auth.oauth.backend import CustomBackend
from bongsu_auth.oauth.clients import SharedHttpClientMixin, get_json
from bongsu_auth.oauth.id_tokens import IdTokenVerifier
from bongsu_auth.oauth.identities import Identities
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
    """A value in one of a person's lists; its fields depend on the list."""

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


class _Client(SharedHttpClientMixin, GoogleOAuth2):
    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        super().__init__(connection.client_id, connection.client_secret, list(connection.scopes))
        self.http = http
        self.authorize_endpoint = f"{connection.base_url or SITE}/o/oauth2/v2/auth"
        token_api = connection.api_url or "https://oauth2.googleapis.com"
        self.access_token_endpoint = self.refresh_token_endpoint = f"{token_api}/token"
        self.revoke_token_endpoint = f"{token_api}/revoke"


class GoogleBackend(CustomBackend):
    """Fulfils `Provider`.

    :param connection: `base_url` stands for https://accounts.google.com; `api_url`, if set, for all of
        https://oauth2.googleapis.com, https://www.googleapis.com and https://people.googleapis.com.
    """

    name = "google"
    label = "Google"

    def __init__(
        self, connection: Connection, http: httpx.AsyncClient, identities: Identities, database: Database
    ) -> None:
        super().__init__(_Client(connection, http), connection, http, identities, database)
        self._people_url = f"{connection.api_url or 'https://people.googleapis.com'}/v1/people/me"
        self._id_tokens = IdTokenVerifier(
            http,
            keys_url=f"{connection.api_url or 'https://www.googleapis.com'}/oauth2/v3/certs",
            issuers=(connection.base_url,) if connection.base_url else ISSUERS,
            client_id=connection.client_id,
        )

    def extra_parameters(self, request: AuthorizationRequest) -> dict[str, str]:
        """See the base class."""
        return {"nonce": request.nonce}

    async def fetch_account(self, grant: Grant, *, nonce: str) -> ProviderAccount:
        """Read the account from the ID token."""
        async with self._request():
            claims = await self._id_tokens.verify(grant.id_token, nonce=nonce)
            return ProviderAccount(
                subject=profile_fields.subject(claims.sub),
                email=claims.email,
                email_verified=claims.email_verified,
                profile=Profile(
                    name=profile_fields.text(claims.name),
                    picture=profile_fields.picture(claims.picture),
                    locale=profile_fields.locale(claims.locale),
                ),
            )

    async def fetch_extra_profile(self, access_token: str, scopes: tuple[str, ...]) -> Profile:
        """Fetch the person. It needs scopes that are not requested by default."""
        if not EXTRA_SCOPES.intersection(scopes):
            return Profile()
        async with self._request():
            body = await get_json(self._http, self._people_url, access_token, personFields=PERSON_FIELDS)
            person = _Person.model_validate(body)
        phone, born = _primary(person.phoneNumbers), _primary(person.birthdays)
        date = born.date or _Date()
        return Profile(
            nickname=profile_fields.text(_primary(person.nicknames).value),
            phone_number=profile_fields.phone_number(phone.canonicalForm or phone.value),
            gender=profile_fields.gender(_primary(person.genders).value),
            birth_year=profile_fields.birth_year(date.year),
            birthday=profile_fields.birthday(date.month, date.day),
        )


def _primary(entries: list[_Entry]) -> _Entry:
    """Return the entry that the person has chosen. Google lists others as well."""
    return next((entry for entry in entries if entry.metadata.primary), _Entry())
