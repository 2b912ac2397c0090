import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from bongsu_dashboard.pages import guards
from bongsu_dashboard.settings import DashboardSettings
from services.dashboard.tests.fakes import JUN, MINA, a_user
from services.dashboard.tests.stage import URL, Stage


class TestHeaders:
    @pytest.mark.parametrize("path", ["/login", "/guilds", "/nothing", "/static/0/x"])
    async def test_every_answer_has_them(self, stage: Stage, path: str) -> None:
        headers = (await stage.browser().get(path)).headers
        links = DashboardSettings.model_fields["link_urls"].default
        assert "https://accounts.google.com" in links
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' https://cdn.discordapp.com",
            "connect-src": "'self'",
            "frame-src": "'self'",
            "form-action": " ".join(("'self'", "https://discord.com", *links)),
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"

    @pytest.mark.parametrize("name", ["dashboard.css", "mark.svg"])
    async def test_file_may_load_and_run_nothing(self, stage: Stage, name: str) -> None:
        headers = (await stage.browser().get(f"/static/0/{name}")).headers
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        assert headers["content-security-policy"] == policy
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")

    async def test_pages_are_not_cached(self, stage: Stage) -> None:
        headers = (await stage.mina().get("/guilds")).headers
        assert headers["cache-control"] == "no-store"
        assert "HX-Request" in headers["vary"]

    def test_https_is_for_good(self) -> None:
        assert "Strict-Transport-Security" in guards.security_headers(images=(), form_targets=(), https=True)

    async def test_a_head_is_answered(self, stage: Stage) -> None:
        assert (await stage.browser().client.head("/login")).status_code == 200


class TestFormToken:
    def test_form_token_is_bound_to_the_browser_and_the_session(self) -> None:
        token = guards.form_token("secret", "session")
        assert guards.is_form_token(token, "secret", "session")
        assert not guards.is_form_token(token, "other", "session")
        assert not guards.is_form_token(token, "secret", "other")

    def test_form_token_differs_each_time(self) -> None:
        assert guards.form_token("secret", "session") != guards.form_token("secret", "session")

    @pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "A" * 54])
    def test_token_is_refused_when_it_is_malformed(self, token: str) -> None:
        assert not guards.is_form_token(token, "secret", "session")

    def test_form_token_is_accepted_in_one_spelling_only(self) -> None:
        token = guards.form_token("secret", "session")
        for spelling in (f"{token}=", f"{token}==", f" {token}", f"{token}\n", f"{token[:5]}!{token[5:]}"):
            assert not guards.is_form_token(spelling, "secret", "session"), spelling

    def test_token_is_refused_when_the_secret_is_empty(self) -> None:
        assert not guards.is_form_token(guards.form_token("", "session"), "", "session")


class TestForms:
    async def test_our_own_form_is_taken(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        assert (await browser.post("/account/profile", {"name": "새 이름", "locale": "ko"})).status_code == 303

    async def test_the_header_of_htmx_will_do(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.client.post(
            "/account/profile", data={"name": "x", "locale": "ko"}, headers={"X-CSRF-Token": browser.token}
        )
        assert answer.status_code == 303

    @pytest.mark.parametrize("token", ["", "wrong", "A" * 54])
    async def test_a_missing_or_wrong_token_changes_nothing(self, stage: Stage, token: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/profile", {"name": "x", "locale": "ko"}, token=token or " ")
        assert (answer.status_code, stage.accounts.users[MINA].name) == (403, "김봉수")

    async def test_another_sessions_token_changes_nothing(self, stage: Stage) -> None:
        stage.accounts.users[JUN] = a_user(name="준")
        mina, jun = stage.mina(), stage.browser(JUN)
        await mina.get("/account")
        await jun.get("/account")
        answer = await mina.post("/account/profile", {"name": "x", "locale": "ko"}, token=jun.token)
        assert answer.status_code == 403

    async def test_form_token_is_refused_when_the_user_has_signed_in_since(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        browser.client.cookies.set("access-80", MINA)
        assert (await browser.post("/account/profile", {"name": "x", "locale": "ko"})).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "", "Origin": "http://evil.example"},
        ],
    )
    async def test_another_sites_form_changes_nothing_even_with_the_token(
        self, stage: Stage, headers: dict[str, str]
    ) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/profile", {"name": "x", "locale": "ko"}, headers=headers)
        assert answer.status_code == 403

    async def test_an_older_browser_tells_the_origin(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        del browser.client.headers["Sec-Fetch-Site"]
        answer = await browser.post("/account/profile", {"name": "x", "locale": "ko"}, headers={"Origin": URL})
        assert answer.status_code == 303

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
    async def test_a_body_that_is_no_form_changes_nothing(self, stage: Stage, content_type: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        headers = {"Content-Type": content_type, "X-CSRF-Token": browser.token}
        answer = await browser.client.post("/account/profile", content='{"name": "x"}', headers=headers)
        assert (answer.status_code, stage.accounts.users[MINA].name) == (415, "김봉수")

    async def test_every_route_that_changes_something_asks_for_the_token(self, stage: Stage) -> None:
        browser = stage.mina()
        refused = {}
        for path in _posts(stage.app()):
            address = path.replace(":uuid", "").format(
                guild_id=1,
                notification_id="0" * 32,
                session_id="0" * 32,
                provider="google",
                user_id="0" * 32,
                key_id="0" * 32,
                entry_id="0" * 32,
            )
            refused[path] = (await browser.post(address, token=" ")).status_code
        assert len(refused) >= 14
        assert {path for path, status in refused.items() if status != 403} == set()


def _posts(app: FastAPI) -> list[str]:
    """The path of every route that is posted to."""
    routers = [route.original_router for route in app.routes if hasattr(route, "original_router")]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "POST" in (route.methods or ())]
