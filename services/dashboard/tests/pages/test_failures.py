from typing import cast

import pytest

from bongsu.runtime.errors import TooMany
from bongsu_dashboard.notifications.notification import Detail
from bongsu_dashboard.pages.cookies import MAX_RENEWALS
from services.dashboard.tests.fakes import MINA
from services.dashboard.tests.stage import Stage, text_of


class TestFailures:
    @pytest.mark.parametrize("path", ["/nothing", "/guilds/x", "/guilds/99999999999999999999999", "/notifications/x"])
    async def test_unknown_path_is_answered_with_a_page(self, stage: Stage, path: str) -> None:
        answer = await stage.mina().get(path)
        assert answer.status_code == 404
        assert "찾을 수 없습니다" in text_of(answer.text)

    async def test_page_is_in_the_language_of_the_reader(self, stage: Stage) -> None:
        answer = await stage.browser(language="en").get("/nothing")
        assert "Page not found" in text_of(answer.text)

    async def test_page_has_the_menu_when_the_user_is_signed_in(self, stage: Stage) -> None:
        assert 'href="/guilds"' in (await stage.mina().get("/nothing")).text
        assert 'href="/guilds"' not in (await stage.browser().get("/nothing")).text

    async def test_a_service_that_is_down_is_a_503_and_says_when_to_try_again(self, stage: Stage) -> None:
        stage.notifications.down = True
        answer = await stage.mina().get("/notifications")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "사라진 내용은 없습니다" in text_of(answer.text)

    async def test_auth_being_down_is_no_sign_out(self, stage: Stage) -> None:
        stage.accounts.down = True
        answer = await stage.mina().get("/account")
        assert answer.status_code == 503
        assert "set-cookie" not in answer.headers or "access" not in answer.headers["set-cookie"]

    async def test_too_many_requests_say_how_long_to_wait(self, stage: Stage) -> None:
        stage.accounts.raises = TooMany("Wait", retry_after_s=17)
        answer = await stage.mina().get("/account")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")

    async def test_a_wrong_method_says_so(self, stage: Stage) -> None:
        answer = await stage.mina().client.put("/account")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"

    async def test_wrong_method_is_answered_with_the_allowed_methods(self, stage: Stage) -> None:
        answer = await stage.browser().client.put("/login")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")

    async def test_failure_is_a_notice_above_the_page_when_htmx_asks(self, stage: Stage) -> None:
        stage.notifications.down = True
        answer = await stage.mina().get("/notifications", htmx=True)
        assert (answer.status_code, answer.headers["hx-retarget"]) == (503, "#notices")
        assert "<html" not in answer.text

    async def test_a_defect_is_a_page_that_tells_nothing_of_it(self, stage: Stage) -> None:
        stage.notifications.items = cast("list[Detail]", [None])
        answer = await stage.mina().get("/notifications")
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] in answer.text
        assert "NoneType" not in answer.text
        assert "content-security-policy" in answer.headers

    async def test_a_body_beyond_measure_is_refused(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/profile", {"name": "x" * 300_000, "locale": "ko"})
        assert answer.status_code == 413


class TestSigningInAgain:
    async def test_a_page_leads_to_auth_and_back(self, stage: Stage) -> None:
        answer = await stage.browser().get("/guilds?show=active")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/auth/session/renew?next=/guilds%3Fshow%3Dactive",
        )

    async def test_fragment_is_recognised_by_the_header_of_htmx_and_leads_back_to_its_page(self, stage: Stage) -> None:
        answer = await stage.browser().get("/notifications", htmx=True)
        assert (answer.status_code, answer.text) == (401, "")
        assert answer.headers["hx-redirect"] == "/auth/session/renew?next=/guilds%3Fshow%3Dall"

    @pytest.mark.parametrize("htmx", [False, True])
    async def test_a_form_of_a_session_that_ran_out_is_sent_again_after_the_renewal(
        self, stage: Stage, htmx: bool
    ) -> None:
        browser = stage.mina()
        await browser.get("/account")
        browser.client.cookies.delete("access-80")
        answer = await browser.post("/account/profile?x=1", {"name": "x"}, htmx=htmx)
        assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
        assert answer.headers["location"] == "/auth/session/renew?next=/account/profile%3Fx%3D1"
        assert stage.accounts.users[MINA].name == "김봉수"

    async def test_tabs_restored_together_are_all_renewed(self, stage: Stage) -> None:
        browser = stage.browser()
        for path in ("/guilds", "/account", "/", "/notifications"):
            assert (await browser.get(path)).headers["location"] == f"/auth/session/renew?next={path}"

    async def test_refusals_end_at_the_login_page(self, stage: Stage) -> None:
        browser = stage.browser("an-access-token-that-is-refused")
        for _ in range(MAX_RENEWALS):
            assert (await browser.get("/guilds")).headers["location"] == "/auth/session/renew?next=/guilds"
        assert (await browser.get("/guilds")).headers["location"] == "/login?next=/guilds"

    @pytest.mark.parametrize("count", ["x", "²", "9999999999999999999999", "-1"])
    async def test_malformed_count_of_redirects_is_ignored(self, stage: Stage, count: str) -> None:
        answer = await stage.browser().client.get("/guilds", headers={b"cookie": f"renewing-80={count}".encode()})
        assert answer.headers["location"] == "/auth/session/renew?next=/guilds"

    async def test_another_sites_referer_makes_no_difference(self, stage: Stage) -> None:
        browser = stage.browser()
        answer = await browser.post("/account/profile", headers={"Referer": "http://evil.example/x"})
        assert answer.headers["location"] == "/auth/session/renew?next=/account/profile"
