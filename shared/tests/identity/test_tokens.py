"""Issuing and verifying access tokens."""

import base64
import json
import string
import time
import uuid
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bongsu.contracts.tokens import AccessClaims
from bongsu.identity.scopes import SESSION_SCOPES, Role, parse_scopes
from bongsu.identity.tokens import (
    MAX_LIFETIME_S,
    SigningKey,
    TokenIssuer,
    TokenRefused,
    TokenSubject,
    TokenVerifier,
    public_jwk,
)

ISSUER = "https://api.example.com"
NOW = 1_800_000_000
KEY = SigningKey.generate()
SUBJECT = TokenSubject(uuid.uuid4(), uuid.uuid4(), Role.STAFF, SESSION_SCOPES, NOW - 60, ("pwd",))


class Keys:
    """Public keys in memory; the next refresh adds the `arriving` ones."""

    def __init__(self, *keys: SigningKey) -> None:
        self.known = {key.kid: key.private_key.public_key() for key in keys}
        self.arriving: dict[str, Ed25519PublicKey] = {}
        self.refreshes = 0

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self.known.get(kid)

    async def refresh(self) -> None:
        self.refreshes += 1
        self.known.update(self.arriving)


class Denied:
    """Denies the given sessions."""

    def __init__(self) -> None:
        self.sessions: set[uuid.UUID] = set()

    def denies(self, claims: AccessClaims) -> bool:
        return claims.sid in self.sessions


class Clock:
    """Time, moved by hand."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys() -> Keys:
    return Keys(KEY)


@pytest.fixture
def denied() -> Denied:
    return Denied()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(keys: Keys, denied: Denied, clock: Clock) -> TokenVerifier:
    return TokenVerifier(ISSUER, keys, denied, now=clock)


def issue(key: SigningKey = KEY, subject: TokenSubject = SUBJECT) -> str:
    return TokenIssuer(ISSUER, now=lambda: NOW).issue(key, subject)


def payload(**changes: object) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(issue(), options={"verify_signature": False})
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


def forge(claims: dict[str, object], **headers: object) -> str:
    """A token with our signature and wrong claims or headers."""
    return jwt.encode(claims, KEY.private_key, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": KEY.kid, **headers})


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class TestIssue:
    async def test_claims_are_those_of_the_subject(self, verifier: TokenVerifier) -> None:
        claims = await verifier.verify(issue())
        assert (claims.sub, claims.sid, claims.role) == (SUBJECT.user_id, SUBJECT.session_id, "staff")
        assert (claims.auth_time, claims.amr) == (NOW - 60, ("pwd",))
        assert parse_scopes(claims.scope) == SESSION_SCOPES
        assert (claims.iat, claims.exp) == (NOW, NOW + 900)

    def test_header_names_the_type_and_the_key(self) -> None:
        assert jwt.get_unverified_header(issue()) == {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid}

    def test_each_token_has_its_own_id(self) -> None:
        assert issue() != issue()

    @pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME_S + 1])
    def test_lifetime_beyond_the_maximum_is_refused(self, lifetime: int) -> None:
        with pytest.raises(ValueError, match="lives"):
            TokenIssuer(ISSUER, lifetime_s=lifetime)


class TestVerify:
    @pytest.mark.parametrize("claim", sorted(AccessClaims.model_fields))
    async def test_missing_claim_is_refused(self, verifier: TokenVerifier, claim: str) -> None:
        with pytest.raises(TokenRefused):
            await verifier.verify(forge(payload(**{claim: None})))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"aud": "other"},
            {"iss": "https://evil.example"},
            {"iat": NOW + 60, "exp": NOW + 120},
            {"nbf": NOW + 60},
            {"nbf": "soon"},
            {"exp": NOW},
            {"exp": NOW - 1},
            {"exp": NOW + MAX_LIFETIME_S + 1},
            {"role": "root"},
            {"sub": "1"},
            {"auth_time": "later"},
        ],
    )
    async def test_wrong_claim_is_refused(self, verifier: TokenVerifier, wrong: dict[str, object]) -> None:
        with pytest.raises(TokenRefused):
            await verifier.verify(forge(payload(**wrong)))

    @pytest.mark.parametrize(
        "headers",
        [
            {"typ": "JWT"},
            {"typ": "refresh"},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/cert"},
            {"jwk": public_jwk("x", KEY.private_key.public_key())},
            {"crit": ["exp"]},
            {"kid": "bongsu-unknown"},
        ],
    )
    async def test_other_header_is_refused(self, verifier: TokenVerifier, headers: dict[str, object]) -> None:
        with pytest.raises(TokenRefused):
            await verifier.verify(forge(payload(), **headers))

    async def test_token_without_a_signature_is_refused(self, verifier: TokenVerifier) -> None:
        for alg in ("none", "None", "EdDSA"):
            header = segment({"alg": alg, "typ": "at+jwt", "kid": KEY.kid})
            with pytest.raises(TokenRefused):
                await verifier.verify(f"{header}.{segment(payload())}.")

    async def test_hmac_under_the_public_key_is_refused(self, verifier: TokenVerifier) -> None:
        public = KEY.private_key.public_key()
        for secret in (
            public.public_bytes_raw(),
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        ):
            header = segment({"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid})
            signing_input = f"{header}.{segment(payload())}"
            mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing_input.encode(), secret)
            with pytest.raises(TokenRefused):
                await verifier.verify(f"{signing_input}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")

    async def test_token_of_another_key_under_our_id_is_refused(self, verifier: TokenVerifier) -> None:
        other = SigningKey(KEY.kid, SigningKey.generate().private_key)
        with pytest.raises(TokenRefused):
            await verifier.verify(issue(other))

    @pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "\udcff.a.b", "x" * 5000, "e30.e30.e30"])
    async def test_text_that_is_not_a_token_is_refused(self, verifier: TokenVerifier, token: str) -> None:
        with pytest.raises(TokenRefused):
            await verifier.verify(token)

    async def test_token_is_accepted_in_one_spelling_only(self, verifier: TokenVerifier) -> None:
        token = issue()
        alphabet = string.ascii_letters + string.digits + "-_=!"
        spellings = [token[:-1] + char for char in alphabet if char != token[-1]]
        spellings += [f"{token}=", f"{token}==", token.replace(".", "=."), f" {token}", f"{token}\n"]
        for spelling in spellings:
            with pytest.raises(TokenRefused):
                await verifier.verify(spelling)

    async def test_deeply_nested_header_is_refused(self, verifier: TokenVerifier) -> None:
        header = base64.urlsafe_b64encode(b"[" * 3000).decode()
        with pytest.raises(TokenRefused):
            await verifier.verify(f"{header}.e30.e30")

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda header, claims: (header[:-1] + ',"kid":"x"}', claims), id="in the header"),
            pytest.param(lambda header, claims: (header, claims[:-1] + ',"role":"administrator"}'), id="in the claims"),
            pytest.param(lambda header, claims: (header, claims[:-1] + ',"x":{"a":1,"a":2}}'), id="in a claim"),
        ],
    )
    async def test_token_is_refused_when_a_name_is_given_twice(
        self, verifier: TokenVerifier, change: Callable[[str, str], tuple[str, str]]
    ) -> None:
        def sign(header: str, claims: str) -> str:
            signing_input = b".".join(base64.urlsafe_b64encode(text.encode()).rstrip(b"=") for text in (header, claims))
            signature = base64.urlsafe_b64encode(KEY.private_key.sign(signing_input)).rstrip(b"=")
            return (signing_input + b"." + signature).decode()

        header = json.dumps({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid})
        assert (await verifier.verify(sign(header, json.dumps(payload())))).role == "staff"
        with pytest.raises(TokenRefused):
            await verifier.verify(sign(*change(header, json.dumps(payload()))))

    async def test_payload_of_another_token_is_refused(self, verifier: TokenVerifier) -> None:
        header, _, signature = issue().split(".")
        with pytest.raises(TokenRefused):
            await verifier.verify(f"{header}.{segment(payload(role='administrator'))}.{signature}")


class TestCachedTokens:
    async def test_cached_token_is_refused_when_it_expires(self, verifier: TokenVerifier, clock: Clock) -> None:
        token = issue()
        await verifier.verify(token)
        clock.now = NOW + 900
        with pytest.raises(TokenRefused):
            await verifier.verify(token)

    async def test_cached_token_is_refused_when_it_is_revoked(self, verifier: TokenVerifier, denied: Denied) -> None:
        token = issue()
        await verifier.verify(token)
        denied.sessions.add(SUBJECT.session_id)
        with pytest.raises(TokenRefused):
            await verifier.verify(token)

    async def test_cached_token_is_refused_when_its_key_is_removed(self, verifier: TokenVerifier, keys: Keys) -> None:
        token = issue()
        await verifier.verify(token)
        keys.known.clear()
        with pytest.raises(TokenRefused):
            await verifier.verify(token)

    async def test_cache_is_bounded(self, keys: Keys, denied: Denied, clock: Clock) -> None:
        verifier = TokenVerifier(ISSUER, keys, denied, cache_size=2, now=clock)
        for _ in range(5):
            await verifier.verify(issue())
        assert len(verifier._verified) == 2

    async def test_cached_token_is_verified_five_times_faster(self, verifier: TokenVerifier) -> None:
        tokens = [issue() for _ in range(200)]

        async def round_s() -> float:
            started = time.process_time()
            for token in tokens:
                await verifier.verify(token)
            return time.process_time() - started

        first_s = await round_s()
        assert min([await round_s() for _ in range(3)]) * 5 < first_s


class TestUnknownKeys:
    async def test_keys_are_read_when_a_token_names_an_unknown_one(self, verifier: TokenVerifier, keys: Keys) -> None:
        fresh = SigningKey.generate()
        keys.arriving[fresh.kid] = fresh.private_key.public_key()
        assert (await verifier.verify(issue(fresh))).sub == SUBJECT.user_id

    async def test_keys_are_read_once_an_interval_when_unknown_keys_flood_in(
        self, verifier: TokenVerifier, keys: Keys, clock: Clock
    ) -> None:
        for wait_s in (0.0, 5.0):
            clock.now += wait_s
            for _ in range(20):
                with pytest.raises(TokenRefused):
                    await verifier.verify(issue(SigningKey.generate()))
        assert keys.refreshes == 2


class TestPublicJwk:
    def test_jwk_is_accepted_by_another_library(self) -> None:
        key = jwt.PyJWK(public_jwk(KEY.kid, KEY.private_key.public_key()))
        decoded = jwt.decode(
            issue(), key, algorithms=["EdDSA"], audience="bongsu", options={"verify_exp": False, "verify_iat": False}
        )
        assert decoded["iss"] == ISSUER
