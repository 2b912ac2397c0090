"""Feedback: every addition is confirmed, the focus stays, and a slow server is visible and answers in order."""

import asyncio
import re
from itertools import cycle

import pytest
from playwright.async_api import Route, expect

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import ABSENT, ACTIVE, full, managing
from services.dashboard.tests.fakes import MINA, a_guild, a_summary
from services.dashboard.tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDED = "봇을 추가했습니다"
ADDITIONS = 20


class TestConfirmations:
    async def test_every_addition_is_confirmed_once_whenever_the_bot_joins(self, opened: Opener) -> None:
        guilds = [(100 + number) << 22 for number in range(ADDITIONS)]
        stage = Stage()
        stage.directory.managed_by[MINA] = [a_guild(guild, f"서버 {guild >> 22}") for guild in guilds]
        tab = await opened(stage)
        page = tab.page
        for guild, joins in zip(guilds, cycle(["at once", "while polled", "before the page", "before the list"])):
            if joins == "at once":
                stage.bot.known[guild] = a_summary(guild)
            await tab.open(f"/guilds/{guild}/added")
            if joins == "while polled":
                await expect(page.locator("#state")).to_have_attribute("data-state", "pending")
            elif joins != "at once":
                await tab.open("/account")
            stage.bot.known[guild] = a_summary(guild)
            if joins == "before the page":
                await tab.open(f"/guilds/{guild}")
            elif joins == "before the list":
                await tab.open("/guilds")
            await expect(page.locator("#notices")).to_have_text(re.compile(f"^\\s*{ADDED}[^봇]*$"))
            await tab.open(f"/guilds/{guild}")
            await expect(page.locator("#notices")).to_be_empty()


class TestFocus:
    async def test_filters_keep_the_focus(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/guilds")
        await tab.page.locator("#show-active").press("Enter")
        await expect(tab.page.locator(".guild")).to_have_count(3)
        await expect(tab.page.locator("#show-active")).to_be_focused()

    async def test_focus_moves_to_the_filters_when_a_swap_removes_its_element(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/notifications?status=done&period=24h")
        await tab.page.locator("#period").press("Enter")
        await expect(tab.page.locator("#period")).to_have_count(0)
        await expect(tab.page.locator("#status-done")).to_be_focused()

    async def test_loading_the_activity_leaves_the_focus_where_it_is(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open(f"/guilds/{ABSENT}")
        await tab.page.locator("#state button").focus()
        await tab.page.locator("[hx-trigger=load]").wait_for(state="detached")
        assert await tab.page.evaluate("document.activeElement.matches('#state button')")

    async def test_refused_form_moves_the_focus_to_its_field(self, opened: Opener) -> None:
        tab = await opened(full(), signed_in=False)
        await tab.open("/login")
        await tab.page.fill("#f-email", "mina@example.com")
        await tab.page.fill("#f-password", "something else")
        await tab.page.press("#f-password", "Enter")
        await expect(tab.page.locator("#login")).to_contain_text("올바르지 않습니다")
        await expect(tab.page.locator("form :focus")).to_be_visible()


class TestSlowServer:
    async def test_click_shows_progress_until_the_answer_comes(self, opened: Opener) -> None:
        tab = await opened(full())
        answer = asyncio.Event()

        async def hold(route: Route) -> None:
            await answer.wait()
            await route.continue_()

        await tab.open("/guilds")
        await tab.page.route(f"**/guilds/{ABSENT}/bot", hold)
        button = tab.page.locator(f"form[action='/guilds/{ABSENT}/bot'] button")
        await button.click()
        await expect(tab.page.locator("html")).to_have_attribute("data-busy", "")
        await expect(button).to_be_disabled()
        spinner = "(button) => getComputedStyle(button, '::before').animationName"
        assert await button.evaluate(spinner) == "spin"
        answer.set()
        await expect(tab.page).to_have_url(re.compile("discord.com"))

    async def test_native_form_shows_progress_in_its_button(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/account")
        await tab.page.evaluate("addEventListener('submit', (event) => event.preventDefault())")
        button = tab.page.locator("form[action='/logout'] button")
        await button.click()
        await expect(button).to_have_attribute("aria-busy", "true")

    async def test_answers_to_quick_clicks_do_not_overtake_each_other(self, opened: Opener) -> None:
        tab = await opened(full())
        second_shown = asyncio.Event()

        async def delay_first(route: Route) -> None:
            if "show=active" in route.request.url:
                await second_shown.wait()
            await route.continue_()

        await tab.open("/guilds")
        await tab.page.route("**/guilds?show=*", delay_first)
        await tab.page.click("#show-active")
        await tab.page.click("#show-not_added")
        await expect(tab.page.locator("#show-not_added")).to_have_attribute("aria-current", "true")
        second_shown.set()
        await tab.page.unroute_all(behavior="wait")
        await expect(tab.page.locator("html")).not_to_have_attribute("data-busy", "")
        await expect(tab.page.locator("#show-not_added")).to_have_attribute("aria-current", "true")
        await expect(tab.page).to_have_url(re.compile("show=not_added"))

    async def test_second_click_is_ignored_while_a_response_is_awaited(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        page = tab.page
        await tab.open(f"/guilds/{ACTIVE}/modules")

        may_continue = asyncio.Event()

        async def hold(route: Route) -> None:
            await may_continue.wait()
            await route.continue_()

        posted: list[str] = []
        page.on("request", lambda sent: posted.append(sent.url) if sent.method == "POST" else None)
        await page.route("**/guilds/**", hold)
        # Two clicks in one task: the second comes before anything can be disabled.
        await page.locator("#module-log button").evaluate("(button) => { button.click(); button.click(); }")
        await expect(page.locator("html")).to_have_attribute("data-busy", "")
        await expect(page.locator("#module-log button")).to_be_disabled()
        may_continue.set()
        save = page.locator("form button", has_text="변경 저장")
        await expect(save).to_be_visible()
        await expect(page.locator("html")).not_to_have_attribute("data-busy", "")
        assert len(posted) == 1
        assert "log" not in stage.bot.modules[ACTIVE]
        may_continue.clear()
        await save.evaluate("(button) => { button.click(); button.click(); }")
        await expect(page.locator("html")).to_have_attribute("data-busy", "")
        may_continue.set()
        await expect(page.locator("#notices")).to_contain_text("모듈을 켰습니다")
        assert len(posted) == 2
        assert stage.bot.modules[ACTIVE]["log"].revision == 1
        assert await tab.violations() == []


class TestPhone:
    @pytest.mark.parametrize(
        ("path", "current"),
        [
            ("/admin/guilds", ".rail nav a[aria-current=page]"),
            (f"/guilds/{ACTIVE}#remove", ".tabs-bar a[data-place=remove]"),
        ],
    )
    async def test_current_place_is_visible_in_a_menu_that_scrolls(
        self, opened: Opener, path: str, current: str
    ) -> None:
        tab = await opened(managing(), size=(320, 640))
        await tab.open(path)
        await expect(tab.page.locator(current)).to_be_in_viewport(ratio=0.9)
