"""Codes, tokens and ID tokens, as Google's and Kakao's stand-ins issue them."""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from bongsu_sandbox.faults.requests import RequestFaults
from bongsu_sandbox.people import Person, find_person
from bongsu_sandbox.sign_in.clients import challenge_of, read_credentials
from bongsu_sandbox.sign_in.grants import Grant, Grants
from bongsu_sandbox.sign_in.requests import AuthorizationRequest, Client
from bongsu_sandbox.sign_in.signing import SigningKey

Wire = dict[str, Any]
Reason = Literal["client", "grant_type", "code", "redirect_uri", "verifier", "refresh_token"]

CODE_S: Final = 60.0
ID_TOKEN_S: Final = 3600
ID_CLAIMS_ROUTE: Final = "/id_token"
"""The route by which a fault alters the claims of ID tokens."""


class TokenRefused(Exception):
    """The token endpoint refuses a request; each provider has its own error for each reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _Code:
    request: AuthorizationRequest
    person: Person
    scopes: tuple[str, ...]
    made_at: float


class SignIn(ABC):
    """Issues codes to browsers, and tokens to the application. One subclass per provider.

    :param issuer: the stand-in's URL for browsers, which ID tokens name.
    """

    name: ClassVar[Literal["google", "kakao"]]
    exchange_route: ClassVar[str]
    token_s: ClassVar[int]
    required_scopes: ClassVar[frozenset[str]]
    """The scopes that a person cannot decline one by one."""

    def __init__(self, client: Client, folder: Path, faults: RequestFaults, issuer: str) -> None:
        self.client = client
        self.faults = faults
        self.issuer = issuer
        self.grants = Grants(folder / "grants.json")
        self.key = SigningKey(folder / "signing-key.pem")
        self._codes: dict[str, _Code] = {}

    @abstractmethod
    def read(self, query: Mapping[str, str]) -> AuthorizationRequest:
        """Parse the query of an authorization URL.

        :raises WrongRequest: with the provider's message.
        """

    @abstractmethod
    def subject(self, person: Person) -> str:
        """Return a person's ID at the provider."""

    @abstractmethod
    def claims(self, person: Person, scopes: list[str]) -> Wire:
        """Return the claims about a person that an ID token has under these scopes."""

    def scope_text(self, scopes: list[str]) -> str:
        """Return the `scope` of a token response."""
        return " ".join(scopes)

    def gives_refresh_token(self, request: AuthorizationRequest) -> bool:
        """Whether a code's token response has a refresh token."""
        del request
        return True

    def optional_scopes(self, request: AuthorizationRequest) -> list[str]:
        """List the scopes that a person may decline."""
        return [scope for scope in request.scopes if scope not in self.required_scopes]

    def allow(self, request: AuthorizationRequest, person: Person, declined: set[str]) -> str:
        """Grant the request, without the declined scopes. Returns the address to redirect to."""
        optional = self.optional_scopes(request)
        scopes = tuple(scope for scope in request.scopes if scope not in declined or scope not in optional)
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(request, person, scopes, time.monotonic())
        return request.redirect_url(code=code)

    def token(self, form: Mapping[str, str], authorization: str | None) -> Wire:
        """Return the body of the token endpoint.

        :raises TokenRefused: wrong client, code, token or grant type.
        """
        credentials = read_credentials(form, authorization)
        if credentials is None or not self._is_client(*credentials):
            raise TokenRefused("client")
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                raise TokenRefused("grant_type")

    def find_grant(self, authorization: str | None) -> tuple[Grant, Person] | None:
        """Return the grant of a Bearer token, and its person."""
        scheme, _, token = (authorization or "").partition(" ")
        grant = self.grants.find(token) if scheme.lower() == "bearer" else None
        person = find_person(grant.person) if grant is not None else None
        return (grant, person) if grant is not None and person is not None else None

    def _is_client(self, client_id: str, secret: str) -> bool:
        return client_id == self.client.id and secrets.compare_digest(secret.encode(), self.client.secret.encode())

    def _exchange(self, form: Mapping[str, str]) -> Wire:
        code = self._codes.pop(form.get("code", ""), None)  # once, whatever comes of it
        if code is None or time.monotonic() - code.made_at > CODE_S:
            raise TokenRefused("code")
        request = code.request
        if form.get("redirect_uri") != request.redirect_uri:
            raise TokenRefused("redirect_uri")
        if request.code_challenge is not None and challenge_of(form.get("code_verifier", "")) != request.code_challenge:
            raise TokenRefused("verifier")
        grant = self._grant(code.person.number, [*code.scopes], secrets.token_urlsafe(32))
        self.grants.add(grant)
        body = self._body(grant)
        if self.gives_refresh_token(request):
            body["refresh_token"] = grant.refresh_token
        if "openid" in code.scopes:
            body["id_token"] = self._id_token(code, grant)
        return self.faults.alter(self.exchange_route, body)

    def _refresh(self, form: Mapping[str, str]) -> Wire:
        old = self.grants.find_refresh(form.get("refresh_token"))
        if old is None:
            raise TokenRefused("refresh_token")
        grant = self._grant(old.person, old.scopes, old.refresh_token)
        self.grants.remove(old)
        self.grants.add(grant)
        return self.faults.alter(self.exchange_route, self._body(grant))

    def _grant(self, person: int, scopes: list[str], refresh_token: str) -> Grant:
        return Grant(
            person=person,
            scopes=scopes,
            access_token=self.faults.token(self.exchange_route, secrets.token_urlsafe(32)),
            refresh_token=refresh_token,
            expires_at=datetime.now(UTC) + timedelta(seconds=self.token_s),
        )

    def _body(self, grant: Grant) -> Wire:
        return {
            "token_type": "Bearer",
            "access_token": grant.access_token,
            "expires_in": self.token_s,
            "scope": self.scope_text(grant.scopes),
        }

    def _id_token(self, code: _Code, grant: Grant) -> str:
        now = int(time.time())
        claims: Wire = {
            "iss": self.issuer,
            "aud": self.client.id,
            "sub": self.subject(code.person),
            "iat": now,
            "exp": now + ID_TOKEN_S,
            **self.claims(code.person, grant.scopes),
        }
        if code.request.nonce is not None:
            claims["nonce"] = code.request.nonce
        return self.key.sign(self.faults.alter(ID_CLAIMS_ROUTE, claims))
