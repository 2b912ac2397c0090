"""Issuing and verifying assertions."""

import base64
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bongsu.identity.assertions import LIFETIME_S, TOKEN_TYPE, AssertionIssuer, AssertionRefused, AssertionVerifier
from bongsu.identity.revocations import RevocableClaims
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenRefused, TokenSubject, TokenVerifier

ISSUER = "https://api.example.com"
NOW = 1_800_000_000
KEY = SigningKey.generate()
USER, SESSION = uuid.uuid4(), uuid.uuid4()
METHOD, TARGET = "guild_leave", "guild:300000000002228224"


class Keys:
    """One public key in memory."""

    refreshes = 0

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.private_key.public_key() if kid == KEY.kid else None

    async def refresh(self) -> None:
        self.refreshes += 1


class Denied:
    """Denies the given sessions."""

    def __init__(self) -> None:
        self.sessions: set[uuid.UUID] = set()

    def denies(self, claims: RevocableClaims) -> bool:
        return claims.sid in self.sessions


def issued(*, at: float = NOW, audience: str = "bot", after: int = 0) -> str:
    return AssertionIssuer(ISSUER, now=lambda: at).issue(
        KEY, user_id=USER, session_id=SESSION, audience=audience, method=METHOD, target=TARGET, after=after
    )


def changed(**claims: object) -> str:
    """An assertion with our signature and other claims."""
    whole = jwt.decode(issued(), options={"verify_signature": False}) | claims
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(kept, KEY.private_key, algorithm="EdDSA", headers={"typ": TOKEN_TYPE, "kid": KEY.kid})


@pytest.fixture
def denied() -> Denied:
    return Denied()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def verifier(keys: Keys, denied: Denied) -> AssertionVerifier:
    return AssertionVerifier(ISSUER, "bot", keys, denied, now=lambda: NOW)


class TestVerify:
    async def test_assertion_for_this_action_is_accepted(self, verifier: AssertionVerifier) -> None:
        claims = await verifier.verify(issued(), method=METHOD, target=TARGET)
        assert (claims.sub, claims.sid, claims.exp - claims.iat) == (USER, SESSION, LIFETIME_S)

    @pytest.mark.parametrize(
        ("method", "target"), [("guild_detail", TARGET), (METHOD, "guild:1"), (METHOD, ""), ("", TARGET)]
    )
    async def test_assertion_for_another_action_is_refused(
        self, verifier: AssertionVerifier, method: str, target: str
    ) -> None:
        with pytest.raises(AssertionRefused):
            await verifier.verify(issued(), method=method, target=target)

    @pytest.mark.parametrize(
        "token",
        [
            issued(audience="notify"),
            issued(at=NOW - LIFETIME_S),
            issued(at=NOW + 30),
            changed(iss="https://evil.example"),
            changed(exp=NOW + 3600),
            changed(jti=None),
            changed(sid=None),
            changed(sub="nobody"),
            issued()[:-8] + "AAAAAAAA",
            "",
            "a.b.c",
            "x" * 5000,
            f"{base64.urlsafe_b64encode(b'[' * 1500).decode()}.e30.e30",
        ],
        ids=[
            "audience",
            "expired",
            "early",
            "issuer",
            "long-lived",
            "no-id",
            "no-session",
            "subject",
            "signature",
            "empty",
            "not-a-token",
            "huge",
            "nested",
        ],
    )
    async def test_invalid_assertion_is_refused(self, verifier: AssertionVerifier, token: str) -> None:
        with pytest.raises(AssertionRefused):
            await verifier.verify(token, method=METHOD, target=TARGET)

    async def test_assertion_is_refused_when_its_session_is_revoked(
        self, verifier: AssertionVerifier, denied: Denied
    ) -> None:
        token = issued()
        denied.sessions.add(SESSION)
        with pytest.raises(AssertionRefused):
            await verifier.verify(token, method=METHOD, target=TARGET)

    @pytest.mark.parametrize("algorithm", ["none", "HS256"])
    async def test_other_algorithms_are_refused(self, verifier: AssertionVerifier, algorithm: str) -> None:
        claims = jwt.decode(issued(), options={"verify_signature": False})
        key = KEY.private_key.public_key().public_bytes_raw() if algorithm == "HS256" else ""
        headers = {"typ": TOKEN_TYPE, "kid": KEY.kid}
        with pytest.raises(AssertionRefused):
            await verifier.verify(
                jwt.encode(claims, key, algorithm=algorithm, headers=headers), method=METHOD, target=TARGET
            )

    async def test_keys_are_read_once_an_interval_when_they_are_unknown(
        self, verifier: AssertionVerifier, keys: Keys
    ) -> None:
        for _ in range(20):
            token = jwt.encode(
                {}, KEY.private_key, algorithm="EdDSA", headers={"typ": TOKEN_TYPE, "kid": uuid.uuid4().hex}
            )
            with pytest.raises(AssertionRefused):
                await verifier.verify(token, method=METHOD, target=TARGET)
        assert keys.refreshes == 1

    async def test_assertion_is_dated_after_the_last_revocation(self, verifier: AssertionVerifier) -> None:
        claims = await verifier.verify(issued(after=NOW), method=METHOD, target=TARGET)
        assert claims.iat == NOW + 1


class TestKinds:
    async def test_access_token_is_refused_as_an_assertion(self, verifier: AssertionVerifier) -> None:
        subject = TokenSubject(USER, SESSION, Role.USER, SESSION_SCOPES, NOW, ("pwd",))
        token = TokenIssuer(ISSUER, now=lambda: NOW).issue(KEY, subject)
        with pytest.raises(AssertionRefused):
            await verifier.verify(token, method=METHOD, target=TARGET)

    async def test_assertion_is_refused_as_an_access_token(self, keys: Keys, denied: Denied) -> None:
        with pytest.raises(TokenRefused):
            await TokenVerifier(ISSUER, keys, denied, now=lambda: NOW).verify(issued())
