"""Stand-ins for Discord, Google and Kakao: the wire formats that auth needs, and their faults."""

import base64
import hashlib
import itertools
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

ORIGIN = "http://providers.test"
CLIENT_ID, CLIENT_SECRET = "bongsu-client", "bongsu-secret"
SETTINGS: dict[str, str] = {
    f"{provider}_{name}": value
    for provider in ("discord", "google", "kakao")
    for name, value in {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "base_url": f"{ORIGIN}/{provider}",
        "api_url": f"{ORIGIN}/{provider}" + ("/api" if provider == "discord" else ""),
    }.items()
} | {
    # The first wait outlasts a test: a busy machine takes a second for the next request.
    "login_wait_s": "900",
}
MINUTE_S = 60

Json = dict[str, Any]
Answer = Callable[[httpx.Request], httpx.Response]
_subjects = itertools.count(200000000000000001)


@cache
def rsa_key(name: str) -> RSAPrivateKey:
    """Return a provider's key; each name has its own."""
    del name
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Person:
    """A person with an account at the providers. `raw` overrides fields of the profile; None removes one."""

    email: str | None = None
    verified: bool = True
    name: str = "김민지"
    subject: str = field(default_factory=lambda: str(next(_subjects)))
    raw: Json = field(default_factory=dict)
    guilds: list[Json] = field(default_factory=list)


@dataclass
class _Code:
    provider: str
    person: Person
    query: Mapping[str, str]
    guild: Json | None


@dataclass
class _Session:
    provider: str
    person: Person
    access_token: str
    refresh_token: str
    scope: str


class Providers:
    """All three, behind `transport`.

    `faults`: what a path answers instead, or raises. `id_claims`: laid over the claims of ID tokens.
    """

    def __init__(self) -> None:
        self.codes: dict[str, _Code] = {}
        self.sessions: list[_Session] = []
        self.faults: dict[str, Answer] = {}
        self.calls: Counter[str] = Counter()
        self.requests: list[httpx.Request] = []
        self.id_claims: Json = {}
        self.id_tokens: list[str] = []
        self.id_key = "k1"
        self.id_header: Json = {"kid": "k1"}
        self.token_more: Json = {}
        self.discovery_more: Json = {}
        self.userinfo: Json = {}
        self.transport = httpx.MockTransport(self._answer)

    def fail(self, path: str, status: int = 500, body: object = None, headers: dict[str, str] | None = None) -> None:
        """Make a path answer with this from now on."""
        self.faults[path] = lambda _: httpx.Response(status, json=body, headers=headers)

    def cut(self, path: str, error: Exception) -> None:
        """Make a path raise from now on."""

        def raised(_: httpx.Request) -> httpx.Response:
            raise error

        self.faults[path] = raised

    def allow(self, authorization_url: str, person: Person, *, guild: Json | None = None) -> str:
        """The person agrees on the provider's page. Returns the callback URL."""
        address = urlsplit(authorization_url)
        query = dict(parse_qsl(address.query, strict_parsing=True))
        provider = address.path.split("/")[1]
        assert f"{address.scheme}://{address.netloc}" == ORIGIN
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        assert len(query["state"]) >= 43
        code = secrets.token_urlsafe(12)
        self.codes[code] = _Code(provider, person, query, guild)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.calls[path] += 1
        self.requests.append(request)
        fault = self.faults.get(path)
        if fault is not None:
            return fault(request)
        provider = path.split("/")[1]
        place = path.removeprefix(f"/{provider}")
        if place in ("/api/oauth2/token", "/token", "/oauth/token"):
            return self._token(provider, request)
        if place in ("/api/oauth2/token/revoke", "/revoke", "/v1/user/unlink"):
            return httpx.Response(200, json={})
        if place == "/.well-known/openid-configuration":
            return httpx.Response(200, json=_laid_over(discovery(provider), self.discovery_more))
        if place in ("/oauth2/v3/certs", "/.well-known/jwks.json"):
            return httpx.Response(200, json={"keys": [jwk()]})
        return self._of_person(place, request)

    def _of_person(self, place: str, request: httpx.Request) -> httpx.Response:
        session = self._session(request)
        if session is None:
            return httpx.Response(401, json={"message": "401: Unauthorized", "code": 0})
        person = session.person
        found: dict[str, object] = {
            "/api/v10/users/@me": _laid_over(_discord_user(session), person.raw),
            "/api/v10/users/@me/guilds": person.guilds,
            "/v2/user/me": _laid_over(_kakao_user(session), person.raw),
            "/v1/people/me": person.raw,
            "/v1/userinfo": {"sub": person.subject, **self.userinfo},
        }
        return httpx.Response(200, json=found[place]) if place in found else httpx.Response(404)

    def _token(self, provider: str, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        posted = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if request.headers.get("authorization") != f"Basic {basic}" and not posted:
            return httpx.Response(401, json={"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            old = next((one for one in self.sessions if one.refresh_token == form["refresh_token"]), None)
            if old is None:
                return httpx.Response(400, json={"error": "invalid_grant"})
            self.sessions.remove(old)
            return httpx.Response(200, json=self._issued(provider, old.person, old.scope))
        code = self.codes.pop(form["code"], None)
        if code is None or code.provider != provider or form["redirect_uri"] != code.query["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.query["code_challenge"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        answer = self._issued(provider, code.person, code.query["scope"])
        if code.guild is not None:
            answer["guild"] = code.guild
        if "openid" in code.query["scope"].split():
            answer["id_token"] = self._id_token(provider, code)
        return httpx.Response(200, json=_laid_over(answer, self.token_more))

    def _issued(self, provider: str, person: Person, scope: str) -> Json:
        session = _Session(provider, person, secrets.token_urlsafe(22), secrets.token_urlsafe(22), scope)
        if "access_token" in self.token_more:
            session.access_token = self.token_more["access_token"]
        self.sessions.append(session)
        return {
            "token_type": "Bearer",
            "access_token": session.access_token,
            "refresh_token": session.refresh_token,
            "expires_in": 604800,
            "scope": scope,
        }

    def _id_token(self, provider: str, code: _Code) -> str:
        now = int(time.time())
        claims = {
            "iss": f"{ORIGIN}/{provider}",
            "aud": CLIENT_ID,
            "sub": code.person.subject,
            "iat": now,
            "exp": now + MINUTE_S,
            "nonce": code.query.get("nonce"),
            "email": code.person.email,
            "email_verified": code.person.verified,
            "name": code.person.name,
            "picture": "https://pictures.test/minji.png",
        }
        self.id_tokens.append(
            jwt.encode(
                _laid_over(claims, self.id_claims), rsa_key(self.id_key), algorithm="RS256", headers=self.id_header
            )
        )
        return self.id_tokens[-1]

    def _session(self, request: httpx.Request) -> _Session | None:
        _, _, token = request.headers.get("authorization", "").partition(" ")
        return next((one for one in self.sessions if one.access_token == token), None)


def jwk() -> Json:
    key: Json = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key("k1").public_key()))
    return {**key, "kid": "k1", "use": "sig", "alg": "RS256"}


def discovery(provider: str) -> Json:
    url = f"{ORIGIN}/{provider}"
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/o/oauth2/v2/auth",
        "token_endpoint": f"{url}/token",
        "revocation_endpoint": f"{url}/revoke",
        "userinfo_endpoint": f"{url}/v1/userinfo",
        "jwks_uri": f"{url}/oauth2/v3/certs",
    }


def _laid_over(base: Json, over: Json) -> Json:
    return {name: value for name, value in {**base, **over}.items() if name not in over or value is not None}


def _discord_user(session: _Session) -> Json:
    person = session.person
    user: Json = {
        "id": person.subject,
        "username": "minji.kim",
        "global_name": person.name,
        "avatar": "0123456789abcdef0123456789abcdef",
        "locale": "ko",
    }
    if "email" in session.scope.split():
        user |= {"email": person.email, "verified": person.verified}
    return user


def _kakao_user(session: _Session) -> Json:
    person = session.person
    account: Json = {"profile": {"nickname": person.name}}
    if person.email is not None:
        account |= {"email": person.email, "is_email_valid": True, "is_email_verified": person.verified}
    return {"id": int(person.subject), "kakao_account": account}
