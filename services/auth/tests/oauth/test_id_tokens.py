"""ID tokens: the verifier's rules, and forged tokens in a whole sign-in."""

import time
from functools import partial

import httpx
import jwt
import pytest

from bongsu.identity.models import User
from bongsu_auth.oauth.id_tokens import REFETCH_EVERY_S, IdTokenVerifier
from bongsu_auth.oauth.port import IdTokenRefused
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import CLIENT_ID, SETTINGS, Json, Person, jwk, rsa_key
from services.auth.tests.stage import Stage

KEYS_URL = "https://issuer.test/keys"
NOW = int(time.time())
CLAIMS: Json = {
    "iss": "https://issuer.test",
    "aud": CLIENT_ID,
    "sub": "1",
    "iat": NOW,
    "exp": NOW + 24 * 3600,  # longer than a test run
    "nonce": "n",
}
WRONG: dict[str, Json] = {
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "audience": {"aud": "another-client"},
    "audiences": {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
    "audiences without azp": {"aud": [CLIENT_ID, "another-client"]},
    "another's azp": {"azp": "another-client"},
    "issuer": {"iss": "https://evil.example"},
    "expired": {"exp": NOW - 3600, "iat": NOW - 7200},
    "no expiry": {"exp": None},
    "no subject": {"sub": None},
    "no audience": {"aud": None},
}


class TestSignIn:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "kakao_scopes": "openid,account_email"})

    @pytest.mark.parametrize("provider", ["google", "kakao"])
    @pytest.mark.parametrize("what", ["nonce", "audience", "issuer", "expired"])
    async def test_wrong_claim_is_refused(self, stage: Stage, provider: str, what: str) -> None:
        stage.providers.id_claims = WRONG[what]
        answer = await stage.sign_in_with(provider, Person(email=stage.new_address()))
        assert (answer.status_code, answer.json()["code"]) == (400, "id_token_refused")
        assert await User.row_count() == 0

    async def test_other_key_is_refused_and_a_browser_gets_a_page(self, stage: Stage) -> None:
        stage.providers.id_key = "another"
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "google", Person(email=stage.new_address()))
            answer = await browser.get(callback, headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=id_token_refused")
        assert await User.row_count() == 0

    async def test_missing_id_token_is_refused(self, stage: Stage) -> None:
        stage.providers.token_more = {"id_token": None}
        answer = await stage.sign_in_with("google", Person(email=stage.new_address()))
        assert (answer.status_code, answer.json()["code"]) == (400, "id_token_refused")

    async def test_id_token_of_another_kakao_account_is_refused(self, stage: Stage) -> None:
        stage.providers.id_claims = {"sub": "999"}
        answer = await stage.sign_in_with("kakao", Person(email=stage.new_address()))
        assert answer.json()["code"] == "id_token_refused"

    async def test_unreachable_keys_are_a_failure_of_the_provider(self, stage: Stage) -> None:
        stage.providers.fail("/google/oauth2/v3/certs", 500)
        answer = await stage.sign_in_with("google", Person(email=stage.new_address()))
        assert answer.headers["location"] == "/login?error=provider_unavailable"


class Keys:
    """The provider's keys, with a count of their requests."""

    def __init__(self) -> None:
        self.fetches = 0
        self.now = 0.0
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        verifier = IdTokenVerifier(http, client_id=CLIENT_ID, monotonic=lambda: self.now)
        self.verify = partial(verifier.verify, keys_url=KEYS_URL, issuers=["https://issuer.test"])

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == KEYS_URL
        self.fetches += 1
        return httpx.Response(200, json={"keys": [{"kty": "oct", "kid": "k2", "k": "c2VjcmV0"}, jwk()]})


def token(over: Json | None = None, *, kid: str = "k1", key: str = "k1", **header: str) -> str:
    claims = {name: value for name, value in (CLAIMS | (over or {})).items() if value is not None}
    return jwt.encode(claims, rsa_key(key), algorithm="RS256", headers={"kid": kid, **header})


class TestVerify:
    async def test_genuine_token_gives_its_claims(self) -> None:
        assert (await Keys().verify(token(), nonce="n")).sub == "1"

    @pytest.mark.parametrize("over", [{"azp": CLIENT_ID}, {"aud": [CLIENT_ID]}])
    async def test_single_audience_needs_no_azp(self, over: Json) -> None:
        assert (await Keys().verify(token(over), nonce="n")).sub == "1"

    async def test_malformed_optional_claims_count_as_missing(self) -> None:
        odd = {"email": 7, "email_verified": "perhaps", "name": 7, "picture": [], "locale": {}}
        claims = await Keys().verify(token(odd), nonce="n")
        assert (claims.email, claims.email_verified, claims.name, claims.picture) == (None, False, None, None)

    @pytest.mark.parametrize("sub", [1, True, "", ["1"]])
    async def test_malformed_subject_is_refused(self, sub: object) -> None:
        with pytest.raises(IdTokenRefused):
            await Keys().verify(token({"sub": sub}), nonce="n")

    @pytest.mark.parametrize("what", WRONG)
    async def test_wrong_or_missing_claim_is_refused(self, what: str) -> None:
        with pytest.raises(IdTokenRefused):
            await Keys().verify(token(WRONG[what]), nonce="n")

    @pytest.mark.parametrize("text", [None, "", "a.b.c", "x" * 100])
    async def test_malformed_token_is_refused(self, text: str | None) -> None:
        with pytest.raises(IdTokenRefused):
            await Keys().verify(text, nonce="n")

    @pytest.mark.parametrize("algorithm", ["none", "HS256"])
    async def test_other_algorithms_are_refused(self, algorithm: str) -> None:
        forged = jwt.encode(CLAIMS, "" if algorithm == "none" else "x" * 32, algorithm=algorithm, headers={"kid": "k1"})
        with pytest.raises(IdTokenRefused):
            await Keys().verify(forged, nonce="n")

    async def test_key_named_by_the_token_is_not_fetched(self) -> None:
        keys = Keys()
        with pytest.raises(IdTokenRefused):
            await keys.verify(token(key="evil", jku="https://evil.example/keys"), nonce="n")
        assert keys.fetches == 1

    async def test_keys_are_fetched_once_per_interval_for_unknown_keys(self) -> None:
        keys = Keys()
        for number in range(20):
            with pytest.raises(IdTokenRefused):
                await keys.verify(token(kid=f"unknown-{number}"), nonce="n")
        assert keys.fetches == 1
        keys.now += REFETCH_EVERY_S + 1
        with pytest.raises(IdTokenRefused):
            await keys.verify(token(kid="unknown"), nonce="n")
        assert keys.fetches == 2
