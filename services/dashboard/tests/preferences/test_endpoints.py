import pytest

from services.dashboard.tests.fakes import MINA
from services.dashboard.tests.stage import URL, Stage, text_of

HERE = {"Referer": f"{URL}/guilds?show=active"}


class TestTheme:
    async def test_a_choice_is_kept_and_leads_back(self, stage: Stage) -> None:
        browser = stage.mina()
        assert 'data-theme="system"' in (await browser.get("/account")).text
        answer = await browser.post("/preferences/theme", {"theme": "dark"}, headers=HERE)
        assert answer.headers["location"] == "/guilds?show=active"
        assert 'data-theme="dark"' in (await browser.get("/account")).text

    @pytest.mark.parametrize("theme", ["", "blue", "dark onload=x"])
    async def test_anything_else_is_refused(self, stage: Stage, theme: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        assert (await browser.post("/preferences/theme", {"theme": theme})).status_code == 422

    async def test_a_cookie_that_was_tampered_with_is_passed_over(self, stage: Stage) -> None:
        browser = stage.mina()
        browser.client.cookies.set("theme-80", "x")
        assert 'data-theme="system"' in (await browser.get("/account")).text


class TestLanguage:
    async def test_the_accounts_language_counts_before_the_browsers(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = stage.accounts.users[MINA].model_copy(update={"locale": "en"})
        answer = await stage.mina().get("/account")
        assert (answer.headers["content-language"], '<html lang="en"' in answer.text) == ("en", True)

    async def test_a_choice_counts_before_both_and_goes_into_the_account(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/preferences/language", {"language": "en"}, headers=HERE)
        assert ("update", "locale=en") in stage.accounts.calls
        assert "Linked accounts" in text_of((await browser.get("/account")).text)

    async def test_language_is_changed_when_the_user_is_signed_out(self, stage: Stage) -> None:
        browser = stage.browser(language="ko")
        await browser.get("/login")
        await browser.post("/preferences/language", {"language": "en"})
        assert "Sign in" in text_of((await browser.get("/login")).text)

    async def test_and_while_auth_is_down(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        stage.accounts.down = True
        assert (await browser.post("/preferences/language", {"language": "en"})).status_code == 303
