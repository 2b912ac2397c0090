"""Adding the bot and removing it, as people do: with a mouse, with keys alone, twice by mistake, without scripts."""

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import ABSENT, ACTIVE, HOSTILE, full
from services.dashboard.tests.fakes import MINA, a_guild, a_summary

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
DISCORD = re.compile(r"https://discord\.com/oauth2/authorize\?.*guild_id=" + str(ABSENT))


async def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await page.evaluate("(selector) => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


class TestAdding:
    @SCRIPTS
    async def test_the_button_leads_to_discord_with_the_guild_chosen(self, opened: Opener, scripts: bool) -> None:
        tab = await opened(full(), scripts=scripts)
        await tab.open("/guilds")
        await tab.page.click(f"form[action='/guilds/{ABSENT}/bot'] button")
        await expect(tab.page).to_have_url(DISCORD)

    async def test_form_is_operable_by_keyboard(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/guilds")
        await _tab_to(tab.page, f"form[action='/guilds/{ABSENT}/bot'] button")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page).to_have_url(DISCORD)

    async def test_the_page_notices_by_itself_that_the_bot_has_arrived(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ABSENT}/added")
        await expect(tab.page.locator("#state")).to_have_attribute("data-state", "pending")
        stage.bot.known[ABSENT] = a_summary(ABSENT)
        await expect(tab.page.locator("#state")).to_have_attribute("data-state", "active")
        await expect(tab.page.locator("#notices")).to_contain_text("봇을 추가했습니다")

    async def test_page_reports_that_the_bot_has_not_joined(self, opened: Opener) -> None:
        stage = full()
        stage.settings = stage.settings.model_copy(update={"install_wait_s": 5})
        tab = await opened(stage)
        await tab.open(f"/guilds/{ABSENT}/added")
        await expect(tab.page.locator("#state")).to_contain_text("봇이 아직 참여하지 않았습니다", timeout=30_000)
        await expect(tab.page.locator("#state button")).to_have_text("봇 추가")


class TestRemoving:
    @SCRIPTS
    async def test_the_typed_name_removes_the_bot(self, opened: Opener, scripts: bool) -> None:
        stage = full()
        tab = await opened(stage, scripts=scripts)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.click(".danger button")
        await expect(tab.page).to_have_url(f"{tab.site.url}/guilds")
        await expect(tab.page.locator("#notices")).to_contain_text("봇을 내보냈습니다")
        assert stage.bot.left == [ACTIVE]

    async def test_form_is_operable_by_keyboard(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        await _tab_to(tab.page, "#f-name")
        await tab.page.keyboard.type("봉수대 개발팀")
        await tab.page.keyboard.press("Tab")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page).to_have_url(f"{tab.site.url}/guilds")
        assert stage.bot.left == [ACTIVE]

    async def test_a_double_click_leaves_once(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.dblclick(".danger button")
        await expect(tab.page).to_have_url(f"{tab.site.url}/guilds")
        assert stage.bot.left == [ACTIVE]

    async def test_until_the_name_is_typed_the_button_waits(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open(f"/guilds/{ACTIVE}#remove")
        button = tab.page.locator(".danger button")
        await expect(button).to_be_disabled()
        await tab.page.fill("#f-name", "봉수대")
        await expect(button).to_be_disabled()
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await expect(button).to_be_enabled()

    async def test_wrong_name_is_an_error_when_scripts_are_off(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage, scripts=False)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        await tab.page.fill("#f-name", "봉수대")
        await tab.page.click(".danger button")
        await expect(tab.page.locator("#e-name")).to_contain_text("서버 이름이 다릅니다")
        assert stage.bot.left == []

    async def test_page_shows_an_error_when_the_bot_does_not_answer(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        stage.bot.silent = True
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.click(".danger button")
        await expect(tab.page.locator("main")).to_contain_text("봇이 응답하지 않아 내보내지 못했습니다")
        stage.bot.silent = False
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.click(".danger button")
        await expect(tab.page).to_have_url(f"{tab.site.url}/guilds")
        assert stage.bot.left == [ACTIVE]

    async def test_poll_that_is_answered_meanwhile_leaves_the_redirect_alone(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        removed, polls = asyncio.Event(), asyncio.Event()

        async def hold_poll(route: Route) -> None:
            polls.set()
            await removed.wait()
            await route.fulfill(status=204, headers={"HX-Redirect": f"/guilds/{ACTIVE}"})

        async def remove(route: Route) -> None:
            answer = await route.fetch()
            await route.fulfill(response=answer)
            if "hx-redirect" in answer.headers:
                removed.set()

        await tab.page.route("**/state?*", hold_poll)
        await tab.page.route("**/bot/remove", remove)
        await tab.open(f"/guilds/{ACTIVE}#remove")
        stage.bot.silent = True
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.click(".danger button")
        await polls.wait()  # the page polls until the bot answers
        stage.bot.silent = False
        await tab.page.fill("#f-name", "봉수대 개발팀")
        await tab.page.click(".danger button")
        await expect(tab.page).to_have_url(f"{tab.site.url}/guilds")


class TestFinding:
    async def test_typing_narrows_the_list_and_keeps_the_focus(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/guilds")
        await tab.page.locator("#q").press_sequentially("카페")
        await expect(tab.page.locator(".guild")).to_have_count(1)
        await expect(tab.page.locator("#q")).to_be_focused()
        await expect(tab.page).to_have_url(re.compile(r"/guilds\?q=.*show=all"))

    async def test_a_filter_keeps_the_words_and_the_words_keep_the_filter(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/guilds")
        await tab.page.click("text=연결됨 3")
        await expect(tab.page.locator(".guild")).to_have_count(3)
        await tab.page.locator("#q").press_sequentially("봉수대")
        await expect(tab.page.locator(".guild")).to_have_count(1)
        await expect(tab.page.locator("[aria-current=true]")).to_contain_text("연결됨")

    async def test_without_scripts_enter_finds(self, opened: Opener) -> None:
        tab = await opened(full(), scripts=False)
        await tab.open("/guilds")
        await tab.page.fill("#q", "카페")
        await tab.page.press("#q", "Enter")
        await expect(tab.page.locator(".guild")).to_have_count(1)


class TestWhatCanGoWrong:
    async def test_names_run_nothing(self, opened: Opener) -> None:
        stage = full()
        stage.directory.managed_by[MINA] = [
            a_guild(HOSTILE, name + "x")
            for name in ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "{{7*7}}")
        ]
        tab = await opened(stage)
        for path in ("/guilds", f"/guilds/{HOSTILE}", "/"):
            await tab.open(path)
            assert await tab.violations() == []
        assert tab.complaints == []

    async def test_a_session_that_ran_out_leaves_the_fragment_for_the_sign_in(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open("/guilds")
        stage.accounts.users.clear()
        await tab.page.locator("#q").press_sequentially("a")
        await expect(tab.page).to_have_url(re.compile(r"/auth/session/renew\?next=/guilds"))

    async def test_form_shows_an_error_when_the_server_is_unreachable(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/guilds")
        await tab.page.context.set_offline(True)
        await tab.page.locator("#q").press_sequentially("a")
        await expect(tab.page.locator("#notices")).to_contain_text("서버가 응답하지 않습니다")

    async def test_a_failure_behind_a_fragment_is_a_notice(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open("/guilds")
        stage.directory.down = True
        await tab.page.locator("#q").press_sequentially("a")
        await expect(tab.page.locator("#notices")).to_contain_text("지금은 표시할 수 없습니다")
        await expect(tab.page.locator(".guild")).to_have_count(6)
