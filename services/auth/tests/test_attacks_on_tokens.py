"""Forged, altered and misused tokens, sent to the API over HTTP."""

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from sqlalchemy import event

from bongsu.identity.key_source import current_signing_key
from bongsu.identity.tokens import SigningKey
from bongsu_auth.settings import AuthSettings
from services.auth.tests.client_sign_in.test_endpoints import APP, Client
from services.auth.tests.mfa.codes import enable
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import PASSWORD, Stage, bearer

EVIL = "https://evil.example"
MINUTE_S = 60


def segment(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{segment(json.dumps(header).encode())}.{segment(json.dumps(claims).encode())}"


@dataclass
class Forge:
    """Makes tokens from a genuine one. With our private key, a forgery differs from a genuine token in one thing."""

    key: SigningKey
    header: dict[str, Any]
    claims: dict[str, Any]
    foreign: SigningKey = field(default_factory=SigningKey.generate)

    @classmethod
    async def open(cls, stage: Stage) -> "Forge":
        token = (await stage.login((await stage.user()).email)).json()["access_token"]
        async with stage.database.unit():
            key = await current_signing_key(stage.vault)
        claims = jwt.decode(token, options={"verify_signature": False})
        return cls(key, jwt.get_unverified_header(token), claims)

    def token(
        self, *, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None, foreign: bool = False
    ) -> str:
        """Return a token with these changes; None removes a member."""
        changed = {name: value for name, value in (self.claims | (claims or {})).items() if value is not None}
        signing_input = unsigned(self.header | (header or {}), changed)
        key = self.foreign if foreign else self.key
        return f"{signing_input}.{segment(key.private_key.sign(signing_input.encode()))}"

    def without_signature(self, alg: str) -> str:
        return f"{unsigned(self.header | {'alg': alg}, self.claims)}."

    def with_hmac(self, secret: bytes) -> str:
        signing_input = unsigned(self.header | {"alg": "HS256"}, self.claims)
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        return f"{signing_input}.{segment(algorithm.sign(signing_input.encode(), secret))}"


@pytest.fixture
async def forge(stage: Stage) -> Forge:
    forge = await Forge.open(stage)
    # Otherwise the refusals below would prove nothing.
    assert (await as_bearer(stage, forge.token())).status_code == 200
    return forge


async def as_bearer(stage: Stage, token: str) -> httpx.Response:
    return await stage.client.get("/auth/me", headers=bearer(token))


async def as_cookie(stage: Stage, token: str) -> httpx.Response:
    return await stage.client.get("/auth/me", headers={"cookie": f"access-8000={token}"})


async def assert_refused(stage: Stage, tokens: dict[str, str]) -> None:
    """Assert that each is refused as an access token, as a bearer token and as a cookie."""
    for attempt in (as_bearer, as_cookie):
        answers = {name: await attempt(stage, token) for name, token in tokens.items()}
        assert {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()} == dict.fromkeys(
            tokens, (401, "token_refused")
        )


class TestForgedTokens:
    async def test_token_without_a_signature_is_refused(self, stage: Stage, forge: Forge) -> None:
        await assert_refused(
            stage, {alg: forge.without_signature(alg) for alg in ("none", "None", "NONE", "", "EdDSA")}
        )

    async def test_hmac_with_the_public_key_is_refused(self, stage: Stage, forge: Forge) -> None:
        [jwk] = (await stage.client.get("/.well-known/jwks.json")).json()["keys"]
        public = forge.key.private_key.public_key()
        secrets = {
            "raw": public.public_bytes_raw(),
            "x": jwk["x"].encode(),
            "JWK": json.dumps(jwk).encode(),
            "PEM": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            "DER": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        }
        await assert_refused(stage, {name: forge.with_hmac(secret) for name, secret in secrets.items()})

    async def test_key_that_the_token_brings_is_neither_used_nor_fetched(self, stage: Stage, forge: Forge) -> None:
        x = segment(forge.foreign.private_key.public_key().public_bytes_raw())
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": forge.key.kid}
        headers: dict[str, dict[str, Any]] = {
            "jwk": {"jwk": jwk},
            "jku": {"jku": f"{EVIL}/jwks.json"},
            "x5u": {"x5u": f"{EVIL}/chain.pem"},
            "x5c": {"x5c": [x]},
            "kid as a path": {"kid": "../../../dev/null"},
            "kid as a URL": {"kid": f"{EVIL}/jwks.json"},
            "none of them": {},
        }
        # pytest-socket refuses other hosts, so that a fetch would be an error of the server.
        await assert_refused(stage, {name: forge.token(header=more, foreign=True) for name, more in headers.items()})
        ours = {name: forge.token(header=more) for name, more in headers.items() if more}
        await assert_refused(stage, ours)
        assert stage.providers.requests == []

    async def test_unknown_keys_are_looked_up_once_per_interval(self, stage: Stage, forge: Forge) -> None:
        reads: list[str] = []
        event.listen(
            stage.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: reads.append(statement) if "signing_keys" in statement else None,
        )
        began_s = time.monotonic()
        for number in range(100):
            answer = await as_bearer(stage, forge.token(header={"kid": f"bongsu-{number}"}, foreign=True))
            assert answer.status_code == 401
        took_s = time.monotonic() - began_s
        # Once in 5 s for unknown keys, and every 2 s as always.
        assert len(reads) <= 2 + took_s / 5 + took_s / 2

    async def test_wrong_or_missing_claim_is_refused(self, stage: Stage, forge: Forge) -> None:
        now = int(time.time())
        wrong: dict[str, dict[str, Any]] = {
            "audience": {"aud": "other"},
            "audiences": {"aud": ["bongsu", "other"]},
            "issuer": {"iss": EVIL},
            "expired": {"iat": now - 1000, "exp": now - 100},
            "not valid yet": {"nbf": now + MINUTE_S},
            "issued in the future": {"iat": now + MINUTE_S, "exp": now + 2 * MINUTE_S},
            "lives too long": {"exp": now + 24 * 3600},
            "role": {"role": "root"},
        }
        missing = {f"no {name}": {name: None} for name in forge.claims}
        await assert_refused(stage, {name: forge.token(claims=claims) for name, claims in (wrong | missing).items()})

    async def test_changed_claim_is_refused(self, stage: Stage, forge: Forge) -> None:
        header, _, signature = forge.token().split(".")
        another = str((await stage.user()).id)
        changes: list[dict[str, Any]] = [{"role": "administrator"}, {"sub": another}, {"exp": forge.claims["exp"] + 60}]
        payloads = [segment(json.dumps(forge.claims | change).encode()) for change in changes]
        await assert_refused(stage, {payload: f"{header}.{payload}.{signature}" for payload in payloads})


class TestOtherTokens:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "redirect_uris": APP})

    async def test_token_of_another_kind_is_refused_as_an_access_token(self, stage: Stage) -> None:
        user = await stage.user()
        tokens = (await stage.login(user.email)).json()
        headers = bearer(tokens["access_token"])
        action = {"audience": "bot", "method": "guild_leave", "target": "guild:300000000002228224"}
        assertion = (await stage.client.post("/auth/assertions", json=action, headers=headers)).json()["assertion"]
        key = (await stage.client.post("/auth/api-keys", json={}, headers=headers)).json()
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        await stage.client.put("/auth/email", json={"email": stage.new_address()}, headers=headers)
        await stage.register(stage.new_address())
        links = {mail.template: mail.token for mail in await stage.mails() if "token=" in mail.link}
        assert set(links) == {"reset-password", "confirm-email", "verify-email"}
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "google", Person(email=stage.new_address()))
            state = parse_qs(urlsplit(callback).query)["state"][0]
            await browser.get(callback)
        code = (await Client(stage).come_back(Person()))["code"]
        secret, _ = await enable(stage, headers)
        mfa = (await stage.login(user.email)).json()["mfa_token"]
        others = {
            "refresh token": tokens["refresh_token"],
            "assertion": assertion,
            "access key": key["access_key"],
            "secret key": key["secret_key"],
            "state": state,
            "one-time code": code,
            "token of the second step": mfa,
            "secret of the second factor": secret,
            "provider's access token": stage.providers.sessions[0].access_token,
            "ID token": stage.providers.id_tokens[0],
        } | links
        assert len(set(others.values())) == len(others)
        await assert_refused(stage, others)

    async def test_access_token_is_refused_as_any_other_token(self, stage: Stage) -> None:
        token = (await stage.login((await stage.user()).email)).json()["access_token"]
        attempts: dict[str, dict[str, str]] = {
            "/auth/refresh": {"refresh_token": token},
            "/auth/verify": {"token": token, "password": PASSWORD},
            "/auth/password/reset": {"token": token, "password": f"{PASSWORD} 2"},
            "/auth/email/confirm": {"token": token},
            "/auth/mfa/verify": {"mfa_token": token, "code": "123456"},
            "/auth/oauth/exchange": {"code": token, "code_verifier": "v" * 43},
        }
        answers = {path: (await stage.client.post(path, json=body)).status_code for path, body in attempts.items()}
        assert all(status in (400, 401, 422) for status in answers.values()), answers
