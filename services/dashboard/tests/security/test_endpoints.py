import pytest

from bongsu.runtime.errors import FieldError, Invalid, ServiceError, TooMany
from services.dashboard.tests.fakes import JUN, MINA, PASSWORD, a_user
from services.dashboard.tests.stage import Stage, text_of

NEW = "another-five-beacons"


class TestForgot:
    async def test_page_after_the_request_names_the_address(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/forgot")
        answer = await browser.post("/forgot", {"email": "Mina@Example.com"})
        assert answer.status_code == 200
        assert "mina@example.com" in text_of(answer.text)
        assert stage.credentials.calls == [("forget_password", "mina@example.com")]

    async def test_login_page_links_to_it(self, stage: Stage) -> None:
        assert 'href="/forgot"' in (await stage.browser().get("/login")).text

    async def test_form_says_how_long_to_wait_when_there_are_too_many(self, stage: Stage) -> None:
        stage.credentials.raises = TooMany("Wait", retry_after_s=90)
        browser = stage.browser()
        await browser.get("/forgot")
        answer = await browser.post("/forgot", {"email": "mina@example.com"}, htmx=True)
        assert (answer.status_code, "90" in text_of(answer.text)) == (429, True)

    async def test_invalid_address_is_refused(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/forgot")
        assert (await browser.post("/forgot", {"email": "mina"})).status_code == 422
        assert stage.credentials.calls == []


class TestReset:
    async def test_new_password_leads_to_the_sign_in(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/reset?token=abc")
        assert stage.credentials.calls == []
        answer = await browser.post("/reset", {"token": "abc", "password": NEW})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert stage.credentials.calls == [("reset_password", "abc", NEW)]
        assert "비밀번호를 변경했습니다" in text_of((await browser.get("/login")).text)

    async def test_used_link_offers_another(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/reset?token=used")
        answer = await browser.post("/reset", {"token": "used", "password": NEW})
        assert (answer.status_code, 'href="/forgot"' in answer.text) == (422, True)

    @pytest.mark.parametrize("password", ["short", "password123"])
    async def test_weak_password_is_refused_beside_its_field(self, stage: Stage, password: str) -> None:
        browser = stage.browser()
        await browser.get("/reset?token=abc")
        answer = await browser.post("/reset", {"token": "abc", "password": password})
        assert (answer.status_code, 'id="e-password"' in answer.text) == (422, True)
        assert password not in answer.text

    @pytest.mark.parametrize("path", ["/reset", f"/reset?token={'x' * 513}"])
    async def test_incomplete_address_is_explained(self, stage: Stage, path: str) -> None:
        answer = await stage.browser().get(path)
        assert (answer.status_code, 'href="/forgot"' in answer.text) == (400, True)


class TestChange:
    async def test_password_is_changed(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/password")
        answer = await browser.post("/account/password", {"current": PASSWORD, "new": NEW})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert stage.credentials.calls == [("change_password", PASSWORD, NEW)]

    async def test_wrong_current_password_is_shown_beside_its_field(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/password")
        answer = await browser.post("/account/password", {"current": "wrong", "new": NEW}, htmx=True)
        assert (answer.status_code, 'id="e-current"' in answer.text) == (403, True)

    async def test_account_without_a_password_is_not_asked_for_one(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(has_password=False)
        browser = stage.mina()
        page = await browser.get("/account/password")
        assert 'name="current"' not in page.text
        await browser.post("/account/password", {"new": NEW})
        assert stage.credentials.calls == [("change_password", "", NEW)]


class TestEmail:
    async def test_page_after_the_request_names_the_new_address(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/email")
        answer = await browser.post("/account/email", {"email": "new@example.com"})
        assert (answer.status_code, "new@example.com" in answer.text) == (200, True)
        assert stage.credentials.calls == [("change_email", "new@example.com")]

    @pytest.mark.parametrize(
        ("error", "status"),
        [(TooMany("Wait", retry_after_s=3600), 429), (Invalid("No", errors=[FieldError(("body", "email"), "x")]), 422)],
    )
    async def test_refusal_is_shown_in_the_form(self, stage: Stage, error: ServiceError, status: int) -> None:
        stage.credentials.raises = error
        browser = stage.mina()
        await browser.get("/account/email")
        answer = await browser.post("/account/email", {"email": "mina@example.com"})
        assert (answer.status_code, 'name="email"' in answer.text) == (status, True)

    async def test_link_is_used_by_the_button_alone(self, stage: Stage) -> None:
        browser = stage.browser()
        page = await browser.get("/email/confirm?token=abc")
        assert (page.status_code, stage.credentials.calls) == (200, [])
        answer = await browser.post("/email/confirm", {"token": "abc"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")

    async def test_used_link_offers_another(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/email/confirm?token=used")
        answer = await browser.post("/email/confirm", {"token": "used"})
        assert (answer.status_code, 'href="/account/email"' in answer.text) == (422, True)


class TestConfirm:
    async def test_form_of_a_change_asks_for_confirmation_first_when_the_sign_in_is_old(self, stage: Stage) -> None:
        stage.accounts.users[JUN] = a_user()  # whose token names no time
        answer = await stage.browser(JUN).get("/account/password")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/confirm?next=/account/password")

    async def test_refused_change_leads_to_the_confirmation_and_back(self, stage: Stage) -> None:
        stage.credentials.recent = False
        browser = stage.mina()
        await browser.get("/account/password")
        refused = await browser.post(
            "/account/password", {"current": PASSWORD, "new": NEW}, headers={"referer": "http://dashboard.test/account"}
        )
        assert refused.headers["location"].startswith("/account/confirm?next=")
        await browser.get("/account/confirm?next=/account/password")
        answer = await browser.post("/account/confirm", {"password": PASSWORD, "next": "/account/password"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/password")
        assert f"access-80={MINA}" in answer.headers["set-cookie"]

    @pytest.mark.parametrize(("password", "status"), [("wrong", 403), ("slow-down", 429)])
    async def test_wrong_password_is_shown_in_the_form(self, stage: Stage, password: str, status: int) -> None:
        browser = stage.mina()
        await browser.get("/account/confirm")
        answer = await browser.post("/account/confirm", {"password": password, "next": "/account"})
        assert answer.status_code == status
        assert 'name="password"' in answer.text

    async def test_account_without_a_password_signs_in_again_with_a_provider(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(has_password=False)
        page = await stage.mina().get("/account/confirm?next=/account/password")
        assert 'href="/auth/oauth/discord/authorize?next=/account/password"' in page.text

    async def test_redirect_leads_to_a_page_of_the_dashboard_only(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account/confirm")
        answer = await browser.post("/account/confirm", {"password": PASSWORD, "next": "//evil.example"})
        assert answer.headers["location"] == "/account"
