"""`GET /auth/session/renew`, and the cookies of a browser's session."""

import time

import pytest

from bongsu.identity.revocations import revoke_user
from bongsu.runtime.dependencies import find
from bongsu_auth.sessions.service import Sessions
from services.auth.tests.stage import Stage


class TestRenew:
    async def test_browser_gets_new_cookies(self, each_stage: Stage) -> None:
        async with each_stage.signed_in_browser(await each_stage.user()) as browser:
            before = dict(browser.cookies)
            del browser.cookies["access-8000"]
            answer = await browser.get("/auth/session/renew", params={"next": "/guilds?x=1"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/guilds?x=1")
            assert answer.headers["cache-control"] == "no-store"
            assert browser.cookies["refresh-8000"] != before["refresh-8000"]
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_tab_that_arrives_with_new_cookies_does_not_make_those_of_other_tabs_look_reused(
        self, each_stage: Stage
    ) -> None:
        """Three tabs are restored together; the second is redirected here before the first one's cookies arrive."""
        async with each_stage.signed_in_browser(await each_stage.user()) as browser:
            first_refresh = browser.cookies["refresh-8000"]
            del browser.cookies["access-8000"]
            await browser.get("/auth/session/renew")
            renewed = dict(browser.cookies)
            second = await browser.get("/auth/session/renew", params={"next": "/guilds"})
            assert (second.status_code, second.headers["location"]) == (303, "/guilds")
            assert "set-cookie" not in second.headers
        async with each_stage.browser() as behind:
            behind.cookies.set("refresh-8000", first_refresh)
            behind.cookies.set("device-8000", renewed["device-8000"])
            third = await behind.get("/auth/session/renew", params={"next": "/account"})
            assert third.headers["location"] == "/account"
            assert third.cookies["refresh-8000"] == renewed["refresh-8000"]
            me = await behind.get("/auth/me", headers={"cookie": f"access-8000={renewed['access-8000']}"})
            assert me.status_code == 200

    async def test_access_token_from_before_the_grace_is_renewed(
        self, each_stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer = find(each_stage.app, Sessions)._access_tokens._issuer
        monkeypatch.setattr(issuer, "_now", lambda: time.time() - 11)
        async with each_stage.signed_in_browser(await each_stage.user()) as browser:
            monkeypatch.undo()
            before = browser.cookies["refresh-8000"]
            answer = await browser.get("/auth/session/renew")
        assert answer.cookies["refresh-8000"] != before

    async def test_new_access_token_that_was_revoked_is_renewed(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        async with each_stage.signed_in_browser(user) as browser:
            before = browser.cookies["refresh-8000"]
            await each_stage.database.run(revoke_user, user)
            await browser.get("/auth/session/renew")
            assert browser.cookies["refresh-8000"] != before
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_browser_without_a_session_is_redirected_to_sign_in(self, stage: Stage) -> None:
        answer = await stage.client.get("/auth/session/renew", params={"next": "/guilds"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fguilds")

    async def test_ended_session_is_redirected_to_sign_in_without_its_cookies(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            refresh = browser.cookies["refresh-8000"]
            await browser.post("/auth/logout")
            browser.cookies.set("refresh-8000", refresh)
            answer = await browser.get("/auth/session/renew")
            assert answer.headers["location"] == "/login?error=session_ended"
            assert any('refresh-8000=""' in cookie for cookie in answer.headers.get_list("set-cookie"))

    async def test_blocked_user_is_redirected_to_sign_in(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            await user.update(status="blocked")
            assert (await browser.get("/auth/session/renew")).headers["location"] == "/login?error=session_ended"

    @pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x"])
    async def test_address_of_another_site_leads_to_the_front_page(self, stage: Stage, path: str) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            assert (await browser.get("/auth/session/renew", params={"next": path})).headers["location"] == "/"
        answer = await stage.client.get("/auth/session/renew", params={"next": path})
        assert answer.headers["location"] == "/login"

    async def test_session_is_kept_while_revocations_are_stale(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            refresh = browser.cookies["refresh-8000"]
            with monkeypatch.context() as patched:
                patched.setattr(stage.identity.revocations, "_stale_after_s", -1)
                answer = await browser.get("/auth/session/renew?next=/guilds")
            assert answer.headers["location"] == "/login?error=unavailable&next=%2Fguilds"
            assert browser.cookies["refresh-8000"] == refresh
            assert (await browser.get("/auth/session/renew")).headers["location"] == "/"


class TestForm:
    """A form whose access token has ended."""

    async def test_form_is_sent_again_with_new_cookies(self, each_stage: Stage) -> None:
        async with each_stage.signed_in_browser(await each_stage.user()) as browser:
            del browser.cookies["access-8000"]
            answer = await browser.post(
                "/auth/session/renew?next=/account/profile", data={"name": "x"}, headers={"hx-request": "true"}
            )
            assert (answer.status_code, answer.headers["location"]) == (307, "/account/profile")
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_browser_is_redirected_to_sign_in_when_the_session_has_ended(self, stage: Stage) -> None:
        answer = await stage.client.post("/auth/session/renew?next=/account/profile", data={"name": "x"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?error=session_ended&next=%2Faccount%2Fprofile"

    async def test_htmx_is_sent_to_the_sign_in_page_when_the_session_has_ended(self, stage: Stage) -> None:
        answer = await stage.client.post("/auth/session/renew?next=/account", headers={"hx-request": "true"})
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/login?error=session_ended&next=%2Faccount"
        assert "location" not in answer.headers
        assert any('refresh-8000=""' in cookie for cookie in answer.headers.get_list("set-cookie"))

    @pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example"])
    async def test_form_never_goes_to_another_site(self, stage: Stage, path: str) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            answer = await browser.post("/auth/session/renew", params={"next": path}, data={"password": "x"})
            assert (answer.status_code, answer.headers["location"]) == (307, "/")
