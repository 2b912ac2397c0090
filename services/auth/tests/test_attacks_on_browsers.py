"""What pages of other sites, subdomains, other sign-ins and half of the secrets are good for, over HTTP."""

from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bongsu.identity.cookies import AuthCookies
from bongsu.identity.models import LinkedAccount, User, UserSession
from services.auth.tests.mfa.codes import enable
from services.auth.tests.providers import Person
from services.auth.tests.stage import APP, PASSWORD, Stage, bearer

EVIL = "https://evil.example"
JSON = '{"email": "victim@example.com", "password": "the attacker chose this"}'


def code_of(callback: str) -> str:
    return parse_qs(urlsplit(callback).query)["code"][0]


def with_code(callback: str, code: str) -> str:
    return callback.replace(code_of(callback), code)


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.signed_in_browser(await stage.user()) as one:
        yield one


class TestOtherSites:
    """Those of `test_attacks_on_accounts` use the fields that new browsers send."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": EVIL},
            {"origin": "null"},
            {"origin": "http://localhost:8001"},
            {"origin": "https://localhost:8000"},
            {"origin": "http://localhost:8000.evil.example"},
            {"referer": f"{EVIL}/page"},
            {"referer": "http://localhost:8000.evil.example/"},
            {"referer": "http://localhost:8000@evil.example/"},
            {"referer": "http://["},
            {"sec-fetch-site": "same-site", "origin": "http://localhost:8000"},
            {"sec-fetch-site": "cross-site", "referer": "http://localhost:8000/"},
            {"sec-fetch-site": ""},
        ],
    )
    async def test_page_of_another_origin_changes_nothing(
        self, browser: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        answer = await browser.patch("/auth/me", json={"name": "changed"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
        assert (await browser.get("/auth/me")).json()["name"] is None

    @pytest.mark.parametrize("headers", [{"referer": "http://localhost:8000/account"}, {"sec-fetch-site": "none"}, {}])
    async def test_own_page_and_programs_change(self, browser: httpx.AsyncClient, headers: dict[str, str]) -> None:
        assert (await browser.patch("/auth/me", json={"name": "changed"}, headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            None,
        ],
    )
    async def test_form_of_another_site_is_no_json(self, stage: Stage, content_type: str | None) -> None:
        """A form needs no preflight, and would plant the cookie by which the attacker's password counts."""
        headers = {"content-type": content_type} if content_type is not None else {}
        answer = await stage.client.post("/auth/register", content=JSON, headers=headers)
        assert (answer.status_code, answer.headers.get("set-cookie")) == (422, None)

    @pytest.mark.parametrize("path", ["register", "verify", "verify/resend"])
    async def test_sign_up_that_another_site_starts_plants_no_cookie(self, stage: Stage, path: str) -> None:
        body = {"email": "victim@example.com", "password": PASSWORD} if path == "register" else {"token": "t" * 43}
        if path == "verify/resend":
            body = {"email": "victim@example.com"}
        answer = await stage.client.post(f"/auth/{path}", json=body, headers={"origin": EVIL})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
        assert "set-cookie" not in answer.headers
        assert await stage.mails() == []

    @pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
    async def test_method_is_not_overridden(self, browser: httpx.AsyncClient, name: str) -> None:
        for method in ("GET", "POST"):
            await browser.request(method, "/auth/me", params={"_method": "DELETE"}, headers={name: "DELETE"})
        await browser.get("/auth/logout", headers={name: "POST"})
        assert (await browser.get("/auth/me")).status_code == 200

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT"])
    async def test_other_methods_start_and_complete_nothing(self, stage: Stage, method: str) -> None:
        async with stage.browser() as one:
            callback = await stage.sent_back(one, "google", Person(email=stage.new_address()))
            for path in ("/auth/oauth/google/authorize", "/auth/session/renew", callback):
                answer = await one.request(method, path)
                assert (answer.status_code, answer.headers.get("set-cookie")) == (405, None), path
            assert (await one.get(callback)).headers["location"] == "/"


class TestCors:
    PREFLIGHT: ClassVar = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization"}

    async def test_page_of_an_allowed_origin_calls_with_a_token_alone(self, stage: Stage) -> None:
        preflight = await stage.client.options("/auth/me", headers={"origin": APP, **self.PREFLIGHT})
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, APP)
        assert "access-control-allow-credentials" not in preflight.headers
        headers = await stage.signed_in(await stage.user()) | {"origin": APP, "sec-fetch-site": "cross-site"}
        answer = await stage.client.patch("/auth/me", json={"name": "changed"}, headers=headers)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
        body = {"email": stage.new_address(), "password": PASSWORD}
        signed_up = await stage.client.post("/auth/register", json=body, headers={"origin": APP})
        assert signed_up.status_code == 202

    async def test_cookie_is_refused_from_an_allowed_origin(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.patch("/auth/me", json={"name": "changed"}, headers={"origin": APP})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")

    @pytest.mark.parametrize("origin", [EVIL, "null", f"{APP}.evil.example", "http://app.example", f"{APP}:8443"])
    async def test_other_origins_read_nothing(self, stage: Stage, origin: str) -> None:
        preflight = await stage.client.options("/auth/me", headers={"origin": origin, **self.PREFLIGHT})
        assert preflight.status_code == 400
        headers = await stage.signed_in(await stage.user()) | {"origin": origin}
        answer = await stage.client.get("/auth/me", headers=headers)
        for response in (preflight, answer):
            assert "access-control-allow-origin" not in response.headers


class TestSubdomains:
    """A page of a subdomain can set cookies for the whole domain, unless their names start with `__Host-`."""

    HTTPS = AuthCookies.of("https://bongsu.example")

    @pytest.fixture
    def on_https(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(stage.identity, "cookies", self.HTTPS)
        return stage

    def test_only_the_refresh_cookie_can_be_set_by_a_subdomain(self) -> None:
        names = [getattr(self.HTTPS, name) for name in ("access", "registration", "device", "mfa", "flow", "refresh")]
        assert [name for name in names if not name.startswith("__Host-")] == ["__Secure-refresh"]

    async def cookies_of(self, stage: Stage, user: User) -> dict[str, str]:
        body = {"email": user.email, "password": PASSWORD}
        answer = await stage.client.post("/auth/login?cookie=true", json=body)
        pairs = (cookie.partition(";")[0].partition("=") for cookie in answer.headers.get_list("set-cookie"))
        stage.client.cookies.clear()
        return {name: value for name, _, value in pairs}

    async def test_refresh_cookie_of_an_attacker_signs_no_browser_in(self, on_https: Stage) -> None:
        stage = on_https
        attacker, victim = [await self.cookies_of(stage, await stage.user()) for _ in range(2)]
        planted = attacker[self.HTTPS.refresh]
        for device in ({}, {self.HTTPS.device: victim[self.HTTPS.device]}):
            cookie = "; ".join(f"{name}={value}" for name, value in {**device, self.HTTPS.refresh: planted}.items())
            refreshed = await stage.client.post("/auth/refresh", headers={"cookie": cookie})
            assert (refreshed.status_code, refreshed.json()["code"]) == (401, "refresh_refused")
            renewed = await stage.client.get("/auth/session/renew?next=/guilds", headers={"cookie": cookie})
            assert renewed.headers["location"].startswith("/login?")
        assert await UserSession.filter_by(ended_at__isnull=True).count() == 2

    @pytest.mark.parametrize("order", ["planted first", "planted last"])
    async def test_second_refresh_cookie_of_an_attacker_signs_no_browser_in(self, on_https: Stage, order: str) -> None:
        """Its path decides the order in which a browser sends it and its own."""
        stage = on_https
        owner = await stage.user()
        attacker, victim = await self.cookies_of(stage, await stage.user()), await self.cookies_of(stage, owner)
        refresh = [f"{self.HTTPS.refresh}={cookies[self.HTTPS.refresh]}" for cookies in (attacker, victim)]
        ordered = refresh if order == "planted first" else refresh[::-1]
        cookie = "; ".join([f"{self.HTTPS.device}={victim[self.HTTPS.device]}", *ordered])
        for _ in range(2):
            answer = await stage.client.post("/auth/refresh", headers={"cookie": cookie})
            assert answer.status_code == (200 if order == "planted first" else 401)
        assert await UserSession.filter_by(ended_at__isnull=True).count() == 2
        used = await UserSession.filter_by(generation__gt=1).pluck("user_id")
        assert used == ([owner.id] if order == "planted first" else [])

    @pytest.mark.parametrize("byte", [b"\x85", b"\xa0"])
    async def test_cookie_whose_name_begins_with_a_space_of_latin_1_is_not_the_cookie_of_the_host(
        self, on_https: Stage, byte: bytes
    ) -> None:
        """Some browsers let a subdomain set it, and Python counts the byte as a space."""
        stage = on_https
        attacker = {
            name.encode(): value.encode() for name, value in (await self.cookies_of(stage, await stage.user())).items()
        }
        names = [name.encode() for name in (self.HTTPS.access, self.HTTPS.device, self.HTTPS.refresh)]
        planted = b"; ".join(byte * name.startswith(b"__Host-") + name + b"=" + attacker[name] for name in names)
        header = [(b"cookie", planted)]
        assert (await stage.client.get("/auth/me", headers=header)).status_code == 401
        assert (await stage.client.post("/auth/refresh", headers=header)).status_code == 401

    @pytest.mark.parametrize("own", [True, False], ids=["beside its own", "alone"])
    async def test_flow_of_an_attacker_is_not_completed_in_the_browser_of_a_victim(
        self, on_https: Stage, own: bool
    ) -> None:
        """The cookie of the attacker's flow is disguised as in the test above."""
        stage, flow = on_https, self.HTTPS.flow.encode()
        begun = [await stage.client.get("/auth/oauth/google/authorize") for _ in range(2)]
        values = [answer.headers["set-cookie"].partition(";")[0].partition("=")[2].encode() for answer in begun]
        callback = stage.providers.allow(begun[0].headers["location"], Person(email=stage.new_address()))
        cookies = [flow + b"=" + values[1]] * own + [b"\x85" + flow + b"=" + values[0]]
        answer = await stage.client.get(callback, headers=[(b"cookie", b"; ".join(cookies))])
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")
        assert await User.row_count() == 0
        # The browser that started the flow completes it.
        answer = await stage.client.get(callback, headers=[(b"cookie", flow + b"=" + values[0])])
        assert answer.headers["location"] == "/"

    async def test_refresh_cookie_of_an_attacker_signs_no_browser_in_on_http(self, stage: Stage) -> None:
        """On http, other sites of the host can set this cookie: cookies do not belong to a port."""
        async with stage.signed_in_browser(await stage.user()) as attacker, stage.browser() as victim:
            victim.cookies.set("refresh-8000", attacker.cookies["refresh-8000"])
            assert (await victim.post("/auth/refresh")).status_code == 401
            assert (await victim.get("/auth/session/renew")).headers["location"].startswith("/login")
            assert "access-8000" not in victim.cookies

    async def test_refresh_cookie_of_an_attacker_links_no_account_to_the_attacker(self, on_https: Stage) -> None:
        stage = on_https
        attacker = await self.cookies_of(stage, await stage.user())
        begun = await stage.client.post(
            "/auth/identities/google/link", headers=bearer(attacker[self.HTTPS.access]), json={}
        )
        stage.client.cookies.clear()
        callback = stage.providers.allow(begun.json()["authorization_url"], Person(email=stage.new_address()))
        planted = {"cookie": f"{self.HTTPS.refresh}={attacker[self.HTTPS.refresh]}"}
        answer = await stage.client.get(callback, headers=planted)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")
        assert await LinkedAccount.filter_by().count() == 0

    async def test_refresh_cookie_of_the_browser_works(self, on_https: Stage) -> None:
        own = await self.cookies_of(on_https, await on_https.user())
        cookie = "; ".join(f"{name}={own[name]}" for name in (self.HTTPS.device, self.HTTPS.refresh))
        renewed = await on_https.client.get("/auth/session/renew?next=/guilds", headers={"cookie": cookie})
        assert renewed.headers["location"] == "/guilds"

    async def test_refresh_token_in_the_body_needs_no_cookie(self, on_https: Stage) -> None:
        tokens = (await on_https.login((await on_https.user()).email)).json()
        answer = await on_https.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == 200


class TestProviders:
    async def test_code_of_an_attacker_is_refused_in_the_flow_of_a_victim(self, stage: Stage) -> None:
        async with stage.browser() as attacker, stage.browser() as victim:
            stolen = await stage.sent_back(attacker, "google", Person(email=stage.new_address()))
            own = await stage.sent_back(victim, "google", Person(email=stage.new_address()))
            answer = await victim.get(with_code(own, code_of(stolen)))
            assert answer.headers["location"] == "/login?error=provider_error"
            assert "access-8000" not in victim.cookies
        assert await User.filter_by().count() == 0

    @pytest.mark.parametrize("name", ["code", "state"])
    async def test_second_parameter_of_the_same_name_signs_no_other_user_in(self, stage: Stage, name: str) -> None:
        async with stage.browser() as attacker, stage.browser() as victim:
            stolen = await stage.sent_back(attacker, "google", Person(email=stage.new_address()))
            own = await stage.sent_back(victim, "google", Person(email=stage.new_address()))
            value = parse_qs(urlsplit(stolen).query)[name][0]
            answer = await victim.get(f"{own}&{name}={value}")
            assert "access-8000" not in victim.cookies
            assert answer.status_code in (303, 400)
        assert await User.filter_by().count() == 0

    @pytest.mark.parametrize("provider", ["google", "kakao"])
    async def test_callback_that_names_another_issuer_is_refused(self, stage: Stage, provider: str) -> None:
        """RFC 9207: the code may be another provider's, which would learn what this one is sent."""
        async with stage.browser() as one:
            for issuer in (EVIL, "", "http://providers.test/discord"):
                callback = await stage.sent_back(one, provider, Person(email=stage.new_address()))
                answer = await one.get(f"{callback}&iss={issuer}")
                assert answer.headers["location"] == "/login?error=provider_error", issuer
            assert not [path for path in stage.providers.calls if path.endswith("/token")]
            callback = await stage.sent_back(one, provider, Person(email=stage.new_address()))
            answer = await one.get(f"{callback}&iss=http://providers.test/{provider}")
            assert answer.headers["location"] == "/"

    async def test_callback_of_one_provider_does_not_complete_the_flow_of_another(self, stage: Stage) -> None:
        async with stage.browser() as one:
            callback = await stage.sent_back(one, "google", Person(email=stage.new_address()))
            for other in ("kakao", "discord"):
                swapped = await one.get(callback.replace("/google/", f"/{other}/"))
                assert (swapped.status_code, swapped.json()["code"]) == (400, "state_refused")
            assert (await one.get(callback)).headers["location"] == "/"

    async def test_states_of_two_browsers_are_not_exchanged(self, stage: Stage) -> None:
        async with stage.browser() as one, stage.browser() as other:
            first = await stage.sent_back(one, "google", Person(email=stage.new_address()))
            second = await stage.sent_back(other, "google", Person(email=stage.new_address()))
            assert (await one.get(second)).status_code == 400
            assert (await other.get(first)).status_code == 400
        assert await User.filter_by().count() == 0


class TestSecondFactor:
    """Whatever else an attacker has, the code is asked for."""

    async def protected(self, stage: Stage) -> tuple[User, dict[str, str]]:
        user = await stage.user()
        headers = await stage.signed_in(user)
        await enable(stage, headers)
        return user, headers

    async def test_owner_of_the_mailbox_alone_resets_the_password_and_is_asked_for_a_code(self, stage: Stage) -> None:
        user, _ = await self.protected(stage)
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        [mail] = [mail for mail in await stage.mails() if mail.template == "reset-password"]
        body = {"token": mail.token, "password": "another long password"}
        assert (await stage.client.post("/auth/password/reset", json=body)).status_code in (200, 204)
        answer = (await stage.login(user.email, "another long password")).json()
        assert (answer["mfa_required"], "access_token" in answer) == (True, False)

    async def test_verified_address_at_a_provider_is_asked_for_a_code(self, stage: Stage) -> None:
        user, _ = await self.protected(stage)
        async with stage.browser() as one:
            answer = await stage.sign_in_with("google", Person(email=user.email), browser=one)
            assert answer.headers["location"].startswith("/login/code")
            assert not {"access-8000", "refresh-8000"} & set(one.cookies)
            assert (await one.get("/auth/me")).status_code == 401

    async def test_sign_in_that_waits_is_no_session(self, stage: Stage) -> None:
        user, _ = await self.protected(stage)
        token = (await stage.login(user.email)).json()["mfa_token"]
        async with stage.browser() as one:
            one.cookies.set("mfa-8000", token, domain="localhost.local", path="/")
            for name in ("access-8000", "refresh-8000"):
                one.cookies.set(name, token, domain="localhost.local", path="/")
            assert (await one.get("/auth/me")).status_code == 401
            assert (await one.get("/auth/session/renew")).headers["location"].startswith("/login?")
            assert (await one.post("/auth/refresh")).status_code == 401
        assert (await stage.client.get("/auth/me", headers=bearer(token))).status_code == 401

    async def test_session_with_a_second_factor_does_not_turn_it_off_without_a_code(self, stage: Stage) -> None:
        user, headers = await self.protected(stage)
        # As a session that was opened with the password alone, before the second factor was turned on elsewhere.
        await UserSession.filter_by(user_id=user.id).update(amr="pwd")
        answer = await stage.client.delete("/auth/mfa/totp", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")


class TestFixation:
    async def test_session_that_the_attacker_planted_survives_no_sign_in(self, stage: Stage) -> None:
        """Tokens are always new: an identifier from before the sign-in is worth nothing after it."""
        user = await stage.user()
        async with stage.browser() as one:
            for name in ("access-8000", "refresh-8000", "flow-8000", "mfa-8000", "device-8000"):
                one.cookies.set(name, "planted", domain="localhost.local", path="/")
            body = {"email": user.email, "password": PASSWORD}
            answer = await one.post("/auth/login?cookie=true", json=body)
            assert answer.status_code == 200
            assert "planted" not in "".join(answer.headers.get_list("set-cookie"))
            planted = await stage.client.get("/auth/me", headers=bearer("planted"))
            assert planted.status_code == 401
