"""Signing in through a provider for API clients, from outside."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from bongsu.identity.models import LinkedAccount, User, UserSession
from bongsu_auth.client_sign_in.models import OAuthCode
from bongsu_auth.oauth.models import OAuthState
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import URL, Stage, bearer, error_fields

APP = "com.example.app:/callback"
WEB = "https://app.example/signed-in?from=bongsu"
LOOPBACK = "http://127.0.0.1/callback"
PROVIDERS = ("discord", "google", "kakao")


@pytest.fixture
def settings() -> AuthSettings:
    return AuthSettings.model_validate({**SETTINGS, "redirect_uris": f"{APP},{WEB},{LOOPBACK}"})


class Client:
    """An API client with a verifier of its own."""

    def __init__(self, stage: Stage, redirect_uri: str = APP) -> None:
        self.stage = stage
        self.redirect_uri = redirect_uri
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def start(self, provider: str = "google", changes: Mapping[str, object] | None = None) -> httpx.Response:
        body = {"redirect_uri": self.redirect_uri, "code_challenge": self.challenge, "state": "s t&ate"}
        return await self.stage.client.post(f"/auth/oauth/{provider}/authorize", json={**body, **(changes or {})})

    async def come_back(self, person: Person, provider: str = "google", **changes: str) -> dict[str, str]:
        """The person agrees in a browser that knows nothing of us. Returns what the browser brings to the client."""
        started = await self.start(provider)
        assert started.status_code == 200, started.text
        callback = self.stage.providers.allow(started.json()["authorization_url"], person)
        address = urlsplit(callback)
        query = {name: values[0] for name, values in parse_qs(address.query).items()} | changes
        async with self.stage.browser() as browser:
            answer = await browser.get(address.path, params=query)
            assert not browser.cookies
        assert answer.status_code == 303, answer.text
        location = answer.headers["location"]
        assert location.startswith(self.redirect_uri)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    async def exchange(self, code: str, verifier: str | None = None) -> httpx.Response:
        body = {"code": code, "code_verifier": verifier or self.verifier}
        return await self.stage.client.post("/auth/oauth/exchange", json=body)


class TestExchange:
    @pytest.mark.parametrize("provider", PROVIDERS)
    async def test_code_gives_tokens_of_a_session(self, each_stage: Stage, provider: str) -> None:
        client, person = Client(each_stage), Person(email=each_stage.new_address())
        back = await client.come_back(person, provider)
        assert (back["state"], back["iss"]) == ("s t&ate", URL)
        answer = await client.exchange(back["code"])
        tokens = answer.json()
        assert (answer.status_code, tokens["token_type"]) == (200, "Bearer")
        assert answer.headers["cache-control"] == "no-store"
        me = await each_stage.client.get("/auth/me", headers=bearer(tokens["access_token"]))
        assert me.json()["email"] == person.email
        refreshed = await each_stage.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 200

    async def test_code_works_once(self, stage: Stage) -> None:
        client = Client(stage)
        code = (await client.come_back(Person()))["code"]
        assert (await client.exchange(code)).status_code == 200
        again = await client.exchange(code)
        assert (again.status_code, again.json()["code"]) == (400, "invalid_grant")

    async def test_code_works_once_in_concurrent_exchanges(self, each_stage: Stage) -> None:
        client = Client(each_stage)
        code = (await client.come_back(Person()))["code"]
        answers = await asyncio.gather(*(client.exchange(code) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
        assert await UserSession.row_count() == 1

    async def test_verifier_of_another_client_is_refused_and_voids_the_code(self, stage: Stage) -> None:
        client = Client(stage)
        code = (await client.come_back(Person()))["code"]
        stolen = await client.exchange(code, Client(stage).verifier)
        assert (stolen.status_code, stolen.json()["code"]) == (400, "invalid_grant")
        assert (await client.exchange(code)).status_code == 400
        assert await UserSession.row_count() == 0

    async def test_code_expires_after_a_minute(self, stage: Stage) -> None:
        client = Client(stage)
        code = (await client.come_back(Person()))["code"]
        row = await OAuthCode.filter_by().one()
        assert timedelta(seconds=50) < row.expires_at - row.created_at <= timedelta(seconds=60)
        await row.update(expires_at=row.created_at - timedelta(seconds=1))
        assert (await client.exchange(code)).status_code == 400

    async def test_blocked_user_gets_no_tokens(self, stage: Stage) -> None:
        client = Client(stage)
        code = (await client.come_back(Person()))["code"]
        await (await User.filter_by().one()).update(status="blocked")
        answer = await client.exchange(code)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_blocked")
        assert await UserSession.row_count() == 0

    async def test_second_factor_is_asked_for_instead_of_tokens(self, stage: Stage) -> None:
        client = Client(stage)
        code = (await client.come_back(Person()))["code"]
        await (await User.filter_by().one()).update(mfa_enabled_at=datetime.now(UTC))
        answer = (await client.exchange(code)).json()
        assert answer["mfa_required"] is True
        assert "access_token" not in answer
        assert await UserSession.row_count() == 0

    async def test_code_is_not_stored_in_plaintext(self, stage: Stage) -> None:
        code = (await Client(stage).come_back(Person()))["code"]
        assert (await OAuthCode.filter_by().one()).code_digest == hashlib.sha256(code.encode()).hexdigest()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"code_verifier": "v" * 43}, "code"),
            ({"code": "c", "code_verifier": "short"}, "code_verifier"),
            ({"code": "c", "code_verifier": "v" * 129}, "code_verifier"),
            ({"code": "c", "code_verifier": "v" * 43, "more": 1}, "more"),
        ],
    )
    async def test_malformed_body_names_the_field(self, stage: Stage, body: dict[str, object], field: str) -> None:
        answer = await stage.client.post("/auth/oauth/exchange", json=body)
        assert (answer.status_code, error_fields(answer)) == (422, [f"body.{field}"])


class TestAuthorize:
    @pytest.mark.parametrize(
        "redirect_uri",
        [
            "https://evil.example/signed-in",
            "https://app.example.evil.example/signed-in?from=bongsu",
            f"{WEB}&more=1",
            f"{APP}/more",
            "HTTPS://app.example/signed-in?from=bongsu",
            "http://127.0.0.1:8123/elsewhere",
            "http://127.0.0.1:8123@evil.example/callback",
            "http://localhost/callback",
            "javascript:alert(1)",
            "/guilds",
        ],
    )
    async def test_other_redirect_uri_is_refused(self, stage: Stage, redirect_uri: str) -> None:
        answer = await Client(stage, redirect_uri).start()
        assert (answer.status_code, error_fields(answer)) == (422, ["body.redirect_uri"])
        assert await OAuthState.row_count() == 0

    async def test_loopback_address_may_have_any_port(self, stage: Stage) -> None:
        client = Client(stage, "http://127.0.0.1:51004/callback")
        back = await client.come_back(Person())
        assert (await client.exchange(back["code"])).status_code == 200

    async def test_query_of_the_redirect_uri_is_kept(self, stage: Stage) -> None:
        assert (await Client(stage, WEB).come_back(Person()))["from"] == "bongsu"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"code_challenge": "short"}, "code_challenge"),
            ({"code_challenge_method": "plain"}, "code_challenge_method"),
            ({"state": "\u0007"}, "state"),
            ({"scope": "bot"}, "scope"),
        ],
    )
    async def test_malformed_request_names_the_field(
        self, stage: Stage, changes: dict[str, object], field: str
    ) -> None:
        answer = await Client(stage).start(changes=changes)
        assert (answer.status_code, error_fields(answer)) == (422, [f"body.{field}"])

    async def test_unknown_provider_is_404(self, stage: Stage) -> None:
        assert (await Client(stage).start("twitter")).status_code == 404


class TestErrors:
    async def test_denial_goes_to_the_client(self, stage: Stage) -> None:
        back = await Client(stage).come_back(Person(), error="access_denied", code="")
        assert (back["error"], back["state"], back["iss"]) == ("access_denied", "s t&ate", URL)
        assert "code" not in back

    @pytest.mark.parametrize(
        ("path", "status", "error"),
        [
            ("/discord/api/oauth2/token", 500, "temporarily_unavailable"),
            ("/discord/api/v10/users/@me", 429, "temporarily_unavailable"),
            ("/discord/api/oauth2/token", 400, "server_error"),
        ],
    )
    async def test_failure_of_the_provider_goes_to_the_client(
        self, stage: Stage, path: str, status: int, error: str
    ) -> None:
        stage.providers.fail(path, status)
        assert (await Client(stage).come_back(Person(), "discord"))["error"] == error
        assert await User.row_count() == 0

    async def test_forged_id_token_goes_to_the_client_as_an_error(self, stage: Stage) -> None:
        stage.providers.id_key = "another"
        assert (await Client(stage).come_back(Person()))["error"] == "server_error"

    async def test_blocked_user_goes_to_the_client_as_denied(self, stage: Stage) -> None:
        person = Person()
        await stage.sign_in_with("google", person)
        await (await User.filter_by().one()).update(status="blocked")
        assert (await Client(stage).come_back(person))["error"] == "access_denied"


class TestAttacks:
    async def test_state_works_once(self, stage: Stage) -> None:
        started = await Client(stage).start()
        callback = stage.providers.allow(started.json()["authorization_url"], Person())
        assert (await stage.client.get(callback)).status_code == 303
        assert (await stage.client.get(callback)).status_code == 400

    async def test_state_of_a_client_is_refused_at_another_provider(self, stage: Stage) -> None:
        started = await Client(stage).start("google")
        callback = stage.providers.allow(started.json()["authorization_url"], Person())
        answer = await stage.client.get(callback.replace("/google/", "/discord/"))
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")

    async def test_browsers_state_still_needs_its_cookie(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "google", Person())
        answer = await stage.client.get(callback)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")

    async def test_clients_flow_never_sets_cookies_or_signs_the_browser_in(self, stage: Stage) -> None:
        """Otherwise the link of an attacker's client would sign a victim's browser in to the attacker's account."""
        back = await Client(stage).come_back(Person())
        assert set(back) == {"code", "state", "iss"}
        assert await UserSession.row_count() == 0

    async def test_code_of_the_provider_is_refused_in_another_flow(self, stage: Stage) -> None:
        """The attacker injects a victim's provider code into the attacker's own flow: its PKCE verifier differs."""
        first, second = [(await Client(stage).start()).json()["authorization_url"] for _ in range(2)]
        stolen = parse_qs(urlsplit(stage.providers.allow(first, Person())).query)["code"][0]
        own = urlsplit(stage.providers.allow(second, Person()))
        query = {name: values[0] for name, values in parse_qs(own.query).items()} | {"code": stolen}
        answer = await stage.client.get(own.path, params=query)
        assert "error=server_error" in answer.headers["location"]
        assert await LinkedAccount.row_count() == 0


class TestSettings:
    @pytest.mark.parametrize(
        "uri",
        ["javascript:alert(1)", "/callback", "http://app.example/x", "https://a.example/#x", "https://*.example/"],
    )
    def test_unsafe_redirect_uri_is_refused_at_start(self, uri: str) -> None:
        with pytest.raises(ValidationError, match="redirect_uris"):
            AuthSettings.model_validate({**SETTINGS, "redirect_uris": uri})
