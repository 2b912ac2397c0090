"""The endpoints of an OpenID Connect issuer, from its discovery document."""

import asyncio

import httpx
import pytest

from bongsu_auth.oauth.discovery import KEPT_S, Discovery
from bongsu_auth.oauth.port import ProviderRefused
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import ORIGIN, SETTINGS, Json, Person
from services.auth.tests.stage import Stage

ISSUER = "https://issuer.test"
DOCUMENT: Json = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


class Issuer:
    """An issuer and the discovery of its endpoints, with a clock that the test sets."""

    def __init__(self, document: object = None) -> None:
        self.document = DOCUMENT if document is None else document
        self.requests = 0
        self.now = 0.0
        self.is_down = False
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.discovery = Discovery(http, issuer=ISSUER, url=ISSUER, monotonic=lambda: self.now)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/.well-known/openid-configuration"
        self.requests += 1
        if self.is_down:
            raise httpx.ConnectError("down")
        return httpx.Response(200, json=self.document)


class TestLoad:
    async def test_document_is_fetched_once_an_hour(self) -> None:
        issuer = Issuer()
        found = await asyncio.gather(*(issuer.discovery.load() for _ in range(10)))
        assert {one.token_endpoint for one in found} == {f"{ISSUER}/token"}
        assert issuer.requests == 1
        issuer.now += KEPT_S + 1
        await issuer.discovery.load()
        assert issuer.requests == 2

    async def test_old_document_is_used_when_the_issuer_is_down(self) -> None:
        issuer = Issuer()
        await issuer.discovery.load()
        issuer.is_down = True
        issuer.now += KEPT_S + 1
        assert (await issuer.discovery.load()).jwks_uri == f"{ISSUER}/keys"

    async def test_failure_is_raised_when_there_is_no_document(self) -> None:
        issuer = Issuer()
        issuer.is_down = True
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await issuer.discovery.load()
        issuer.is_down = False
        assert (await issuer.discovery.load()).issuer == ISSUER

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {**DOCUMENT, "issuer": "https://evil.example"},
            {**DOCUMENT, "token_endpoint": "http://issuer.test/token"},
            {**DOCUMENT, "jwks_uri": "file:///etc/passwd"},
            {**DOCUMENT, "jwks_uri": 7},
            {name: value for name, value in DOCUMENT.items() if name != "authorization_endpoint"},
        ],
        ids=["list", "another issuer", "no TLS", "no URL", "no text", "missing"],
    )
    async def test_wrong_document_is_refused(self, document: object) -> None:
        with pytest.raises(ProviderRefused):
            await Issuer(document).discovery.load()

    async def test_slash_after_the_issuer_makes_no_difference(self) -> None:
        found = await Issuer({**DOCUMENT, "issuer": f"{ISSUER}/"}).discovery.load()
        assert found.issuer == f"{ISSUER}/"


class TestSignIn:
    async def test_authorize_is_unavailable_when_the_document_is(self, stage: Stage) -> None:
        stage.providers.fail("/google/.well-known/openid-configuration", 500)
        async with stage.browser() as browser:
            answer = await browser.get("/auth/oauth/google/authorize")
            assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
            assert answer.headers["retry-after"]
            page = await browser.get("/auth/oauth/google/authorize?next=/guilds", headers={"accept": "text/html"})
            assert page.headers["location"] == "/login?error=provider_unavailable&next=%2Fguilds"
            assert not browser.cookies

    async def test_address_is_read_from_userinfo_when_the_id_token_has_none(self, stage: Stage) -> None:
        person = Person(email=stage.new_address())
        stage.providers.id_claims = {"email": None, "email_verified": None}
        stage.providers.userinfo = {"email": person.email, "email_verified": True}
        async with stage.browser() as browser:
            await stage.sign_in_with("google", person, browser=browser)
            assert (await browser.get("/auth/me")).json()["email"] == person.email

    async def test_userinfo_of_another_user_is_refused(self, stage: Stage) -> None:
        stage.providers.id_claims = {"email": None}
        stage.providers.userinfo = {"sub": "another", "email": "a@example.com", "email_verified": True}
        answer = await stage.sign_in_with("google", Person())
        assert (answer.status_code, answer.json()["code"]) == (400, "id_token_refused")


class TestAnotherIssuer:
    """Another issuer in Google's place, known by its address alone."""

    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "google_api_url": None})

    async def test_sign_in_uses_its_endpoints(self, stage: Stage) -> None:
        stage.providers.discovery_more = {"token_endpoint": f"{ORIGIN}/google/other/token"}
        stage.providers.fail("/google/other/token", 503)
        answer = await stage.sign_in_with("google", Person(email=stage.new_address()))
        assert answer.headers["location"] == "/login?error=provider_unavailable"
        assert stage.providers.calls["/google/other/token"] == 1
        assert stage.providers.calls["/google/token"] == 0
