"""Google's sign-in: scopes, ID tokens, userinfo and People API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from bongsu_sandbox.people import Person
from bongsu_sandbox.sign_in.requests import AuthorizationRequest, WrongRequest, read_challenge
from bongsu_sandbox.sign_in.service import SignIn, Wire

_SCOPE: Final = "https://www.googleapis.com/auth/"
EMAIL, PROFILE = f"{_SCOPE}userinfo.email", f"{_SCOPE}userinfo.profile"
PHONE, BIRTHDAY, GENDER = (f"{_SCOPE}user.{name}.read" for name in ("phonenumbers", "birthday", "gender"))
_LONG: Final = {"email": EMAIL, "profile": PROFILE}
"""Google grants these scopes by their long names."""
SCOPES: Final = frozenset({"openid", EMAIL, PROFILE, PHONE, BIRTHDAY, GENDER})


@dataclass(frozen=True)
class GoogleRequest(AuthorizationRequest):
    """An authorization request. `is_offline` asks for a refresh token."""

    is_offline: bool = False


class GoogleSignIn(SignIn):
    name: ClassVar[Literal["google", "kakao"]] = "google"
    exchange_route: ClassVar = "/token"
    token_s: ClassVar = 3599
    required_scopes: ClassVar = frozenset({"openid", EMAIL, PROFILE})

    def read(self, query: Mapping[str, str]) -> GoogleRequest:
        """See the base class."""
        if query.get("client_id") != self.client.id:
            raise WrongRequest("Error 401: invalid_client")
        redirect_uri = query.get("redirect_uri", "")
        if not self.client.may_redirect_to(redirect_uri):
            raise WrongRequest("Error 400: redirect_uri_mismatch")
        if query.get("response_type") != "code":
            raise WrongRequest("Error 400: invalid_request: response_type must be code")
        scopes = tuple(dict.fromkeys(_LONG.get(scope, scope) for scope in query.get("scope", "").split()))
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            raise WrongRequest(f"Error 400: invalid_scope: {' '.join(unknown) or '(none)'}")
        return GoogleRequest(
            scopes=scopes,
            redirect_uri=redirect_uri,
            state=query.get("state"),
            code_challenge=read_challenge(query),
            prompt=query.get("prompt", ""),
            nonce=query.get("nonce"),
            is_offline=query.get("access_type") == "offline",
        )

    def subject(self, person: Person) -> str:
        """See the base class: 21 digits."""
        return f"1{person.number:020}"

    def claims(self, person: Person, scopes: list[str]) -> Wire:
        """See the base class."""
        return {"azp": self.client.id, **self.userinfo(person, scopes)}

    def userinfo(self, person: Person, scopes: list[str]) -> Wire:
        """Return the body of the userinfo endpoint."""
        body: Wire = {"sub": self.subject(person)}
        if PROFILE in scopes:
            body |= {"name": person.name, "picture": f"https://lh3.googleusercontent.com/a/{person.username}"}
        if EMAIL in scopes and person.email is not None:
            body |= {"email": person.email, "email_verified": person.verified}
        return body

    def gives_refresh_token(self, request: AuthorizationRequest) -> bool:
        """See the base class."""
        return isinstance(request, GoogleRequest) and request.is_offline

    def person(self, person: Person, scopes: list[str], fields: set[str]) -> Wire:
        """Return the body of `people/me`: the asked fields, as far as the scopes allow them."""
        entry = {"metadata": {"primary": True, "source": {"type": "PROFILE", "id": self.subject(person)}}}
        known: dict[str, tuple[str, Wire | None]] = {
            "names": (PROFILE, {"displayName": person.name}),
            "nicknames": (PROFILE, {"value": person.nickname}),
            "locales": (PROFILE, {"value": person.locale}),
            "genders": (GENDER, {"value": person.gender} if person.gender else None),
            "birthdays": (
                BIRTHDAY,
                {"date": {"year": person.born.year, "month": person.born.month, "day": person.born.day}}
                if person.born
                else None,
            ),
            "phoneNumbers": (
                PHONE,
                {
                    "value": person.phone_number,
                    "canonicalForm": person.phone_number.replace(" ", "").replace("-", ""),
                    "type": "mobile",
                }
                if person.phone_number
                else None,
            ),
        }
        body: Wire = {"resourceName": f"people/{self.subject(person)}", "etag": "%EgMBAgM="}
        for name, (scope, value) in known.items():
            if name in fields and scope in scopes and value is not None:
                body[name] = [{**entry, **value}]
        return body
