import pytest

from services.dashboard.tests.fakes import MINA, PASSWORD
from services.dashboard.tests.stage import Stage, text_of


class TestLogin:
    async def test_the_right_password_sets_auths_cookies_and_goes_on(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login?next=/guilds")
        answer = await browser.post("/login", {"email": "Mina@Example.com", "password": PASSWORD, "next": "/guilds"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/guilds")
        assert stage.accounts.calls == [("sign_in", "mina@example.com")]
        cookies = answer.headers.get_list("set-cookie")
        assert any(cookie.startswith(f"access-80={MINA};") for cookie in cookies)
        assert any(cookie.startswith("refresh-80=") and "Path=/auth" in cookie for cookie in cookies)

    async def test_the_devices_cookie_comes_back_to_this_page(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        await browser.post("/login", {"email": "mina@example.com", "password": PASSWORD, "next": "/"})
        browser.client.cookies.delete("access-80")
        await browser.get("/login")
        await browser.post("/login", {"email": "mina@example.com", "password": PASSWORD, "next": "/"})
        assert stage.accounts.browsers[-1].cookies == {"device-80": "device"}

    async def test_wrong_password_keeps_the_address_and_not_the_password(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        answer = await browser.post("/login", {"email": "mina@example.com", "password": "wrong-one", "next": "/"})
        assert answer.status_code == 401
        assert "이메일 또는 비밀번호가 올바르지 않습니다" in text_of(answer.text)
        assert 'value="mina@example.com"' in answer.text
        assert "wrong-one" not in answer.text

    async def test_too_many_attempts_say_how_long_to_wait(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        answer = await browser.post("/login", {"email": "a@b.example", "password": "slow-down", "next": "/"})
        assert answer.status_code == 429
        assert "30초 후에" in text_of(answer.text)

    @pytest.mark.parametrize("fields", [{}, {"email": "x", "password": ""}, {"email": "a@b.example", "password": ""}])
    async def test_missing_field_is_marked_invalid(self, stage: Stage, fields: dict[str, str | list[str]]) -> None:
        browser = stage.browser()
        await browser.get("/login")
        answer = await browser.post("/login", fields)
        assert (answer.status_code, stage.accounts.calls) == (422, [])
        assert 'aria-invalid="true"' in answer.text

    async def test_htmx_gets_the_form_alone(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        answer = await browser.post("/login", {"email": "x", "password": "y", "next": "/"}, htmx=True)
        assert answer.text.lstrip().startswith('<form id="login"')

    @pytest.mark.parametrize("wish", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil"])
    async def test_login_redirects_home_when_next_is_another_site(self, stage: Stage, wish: str) -> None:
        browser = stage.browser()
        await browser.client.get("/login", params={"next": wish})
        await browser.get("/login")
        answer = await browser.post("/login", {"email": "mina@example.com", "password": PASSWORD, "next": wish})
        assert answer.headers["location"] == "/"

    async def test_login_redirects_to_next_when_the_user_is_signed_in(self, stage: Stage) -> None:
        assert (await stage.mina().get("/login?next=/account")).headers["location"] == "/account"

    async def test_each_provider_that_is_configured_has_its_button(self, stage: Stage) -> None:
        stage.accounts.configured = ("discord",)
        page = (await stage.browser().get("/login?next=/guilds")).text
        assert 'href="/auth/oauth/discord/authorize?next=/guilds"' in page
        assert "oauth/google" not in page

    @pytest.mark.parametrize(
        ("code", "words"), [("denied", "로그인을 취소했습니다"), ("<script>", "로그인하지 못했습니다")]
    )
    async def test_page_shows_the_error_of_the_provider(self, stage: Stage, code: str, words: str) -> None:
        answer = await stage.browser().client.get("/login", params={"error": code})
        assert words in text_of(answer.text)
        assert "<script>" not in answer.text

    async def test_error_of_the_provider_stands_above_the_buttons_of_the_providers(self, stage: Stage) -> None:
        stage.accounts.configured = ("discord",)
        page = (await stage.browser().client.get("/login", params={"error": "denied"})).text
        assert page.index("로그인을 취소했습니다") < page.index("/auth/oauth/discord/authorize")
        assert '<div class="notice" data-tone="note" role="status">' in page

    async def test_second_form_does_not_change_the_session(self, stage: Stage) -> None:
        browser = stage.browser()
        answer = await browser.post("/login", {"email": "mina@example.com", "password": PASSWORD, "next": "/"})
        assert (answer.status_code, stage.accounts.calls) == (403, [])


class TestRegister:
    async def test_a_sign_up_says_to_check_the_mail(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/register")
        answer = await browser.post("/register", {"name": "", "email": "new@example.com", "password": "x" * 10})
        assert answer.status_code == 200
        assert "메일함을 확인해 주세요" in text_of(answer.text)
        assert stage.accounts.calls == [("register", "new@example.com", "x" * 10, "")]

    async def test_the_browser_is_known_again_by_the_page_of_the_link(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/register")
        await browser.post("/register", {"email": "new@example.com", "password": "x" * 10})
        assert 'type="password"' not in (await browser.get("/verify?token=abc")).text
        answer = await browser.post("/verify", {"token": "abc"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert stage.accounts.calls[-1] == ("verify", "abc", "")

    @pytest.mark.parametrize(
        ("email", "password", "words"),
        [
            ("nonsense", "x" * 10, "형식이 올바르지 않습니다"),
            ("new@example.com", "short", "10자 이상"),
            ("new@example.com", "x" * 257, "256자 이하"),
            ("longname10@example.com", "longname10", "다른 비밀번호"),
        ],
    )
    async def test_form_shows_the_error(self, stage: Stage, email: str, password: str, words: str) -> None:
        browser = stage.browser()
        await browser.get("/register")
        answer = await browser.post("/register", {"email": email, "password": password})
        assert (answer.status_code, stage.accounts.calls) == (422, [])
        assert words in text_of(answer.text)

    async def test_the_mail_can_be_asked_for_again(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/register")
        answer = await browser.post("/register/resend", {"email": "new@example.com"})
        assert "메일을 다시 보냈습니다" in text_of(answer.text)


class TestVerify:
    async def test_following_the_link_proves_nothing_yet(self, stage: Stage) -> None:
        await stage.browser().get("/verify?token=abc")
        assert stage.accounts.calls == []

    async def test_another_browser_chooses_a_password(self, stage: Stage) -> None:
        browser = stage.browser()
        assert 'type="password"' in (await browser.get("/verify?token=abc")).text
        assert (await browser.post("/verify", {"token": "abc", "password": PASSWORD})).status_code == 303

    async def test_verify_asks_for_the_password_when_auth_requires_it(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/verify?token=abc")
        answer = await browser.post("/verify", {"token": "abc"})
        assert answer.status_code == 422
        assert 'type="password"' in answer.text

    @pytest.mark.parametrize(("password", "words"), [("short", "10자 이상"), ("x" * 257, "256자 이하")])
    async def test_form_shows_a_password_that_breaks_the_policy(self, stage: Stage, password: str, words: str) -> None:
        browser = stage.browser()
        await browser.get("/verify?token=abc")
        answer = await browser.post("/verify", {"token": "abc", "password": password})
        assert (answer.status_code, stage.accounts.calls) == (422, [])
        assert words in text_of(answer.text)

    async def test_a_link_of_no_use_says_so(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/verify?token=used")
        answer = await browser.post("/verify", {"token": "used", "password": PASSWORD})
        assert answer.status_code == 400
        assert "링크가 만료되었거나" in text_of(answer.text)

    async def test_a_link_without_its_token_says_so(self, stage: Stage) -> None:
        assert (await stage.browser().get("/verify")).status_code == 400


class TestLogout:
    async def test_logout_ends_the_session_and_deletes_the_cookies(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/logout")
        assert answer.headers["location"] == "/login"
        assert ("sign_out",) in stage.accounts.calls
        assert any("access-80" in cookie and "Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))

    async def test_a_session_that_has_ended_already_is_no_failure(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        stage.accounts.users.clear()
        answer = await browser.post("/logout")
        assert answer.status_code == 303
        assert any("access-80" in cookie for cookie in answer.headers.get_list("set-cookie"))

    async def test_where_the_access_token_ran_out_the_session_is_renewed_first(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        browser.client.cookies.delete("access-80")
        answer = await browser.post("/logout")
        assert answer.status_code == 307
        assert answer.headers["location"] == "/auth/session/renew?next=/logout"
        assert not any("refresh-80" in cookie for cookie in answer.headers.get_list("set-cookie"))

    async def test_get_does_not_sign_out(self, stage: Stage) -> None:
        await stage.mina().get("/logout")
        assert stage.accounts.calls == []

    async def test_form_is_refused_after_the_logout(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        token = browser.token
        await browser.post("/logout")
        browser.client.cookies.delete("access-80")
        answer = await browser.post("/account/profile", {"name": "x"}, token=token, htmx=True)
        assert answer.headers["location"].startswith("/auth/session/renew")
        assert stage.accounts.users[MINA].name == "김봉수"

    async def test_login_page_says_that_the_session_has_ended(self, stage: Stage) -> None:
        page = await stage.browser().get("/login?error=session_ended&next=/account/profile")
        assert "로그인이 만료되었습니다" in text_of(page.text)
        assert 'name="next" value="/account"' in page.text
