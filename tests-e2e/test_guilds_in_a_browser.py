"""The main job of the dashboard in a real Chromium: sign in with Discord, add the bot to a guild, remove it."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from harness.stack import Stack
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.infrastructure.needs import cannot_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.asyncio(loop_scope="module")

GUILD = "Night Market"
"""A guild of the sandbox that 김민지 manages and that lacks the bot."""


@dataclass
class Visitor:
    """A person with a browser of their own."""

    page: Page
    url: str

    async def sign_in_with(self, provider: str, persona: str, *, next_path: str = "/") -> None:
        await self.page.goto(f"{self.url}/login?{urlencode({'next': next_path})}")
        await self.page.get_by_role("link", name=provider).click()
        await self.page.get_by_text(persona, exact=True).click()
        await self.page.get_by_role("button", name="Allow").click()
        # From here on, the pages use the language of the Discord profile.
        await expect(self.page.locator('nav a[href="/guilds"]')).to_be_visible()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    expect.set_options(timeout=30_000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visitors(chromium: Browser, stack: Stack) -> AsyncIterator[list[Visitor]]:
    """Two people, each with cookies of their own. A violation of the content security policy fails the test."""
    broken: list[str] = []
    made = []
    for _ in range(2):
        context = await chromium.new_context(locale="en-GB")
        page = await context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: broken.append(message.text) if "Content Security" in message.text else None)
        page.on("pageerror", lambda error: broken.append(str(error)))
        made.append(Visitor(page, stack.url))
    yield made
    for visitor in made:
        await visitor.page.context.close()
    assert broken == []


class TestBotInAGuild:
    @pytest.mark.timeout(120)
    async def test_manager_of_a_guild_adds_sees_and_removes_the_bot(self, visitors: list[Visitor]) -> None:
        manager, stranger = visitors
        page = manager.page
        await manager.sign_in_with("Discord", "김민지")

        await page.goto(f"{manager.url}/guilds")
        cards = page.locator("li.guild")
        await expect(cards).to_have_count(3)
        card = cards.filter(has_text=GUILD)
        await expect(card).to_have_attribute("data-state", "not_added")

        await card.get_by_role("button").click()
        await page.get_by_text("김민지", exact=True).click()
        await page.get_by_role("button", name="Allow").click()
        await expect(page.locator("#state")).to_have_attribute("data-state", "active")
        guild_address = page.url.split("?")[0]
        await page.goto(f"{manager.url}/guilds")
        await expect(card).to_have_attribute("data-state", "active")

        await stranger.sign_in_with("Discord", "이하늘")
        answer = await stranger.page.goto(guild_address)
        assert answer is not None
        assert answer.status == 404

        await page.goto(guild_address)
        await page.locator("a[href$='/modules']").click()
        module = page.locator("#module-log")
        await module.get_by_role("button").click()
        await page.locator("button", has_text="변경 저장").click()
        await expect(module.locator("[data-tone=ok]")).to_be_visible()
        await expect(module.locator("input[name=revision]")).to_have_value("1")

        await page.goto(guild_address)
        await page.locator("a[data-place=remove]").click()
        danger = page.locator("section.danger")
        await danger.get_by_role("textbox").fill("night something")
        await expect(danger.get_by_role("button")).to_be_disabled()
        await danger.get_by_role("textbox").fill(GUILD)
        await danger.get_by_role("button").click()
        await expect(danger).to_have_count(0)
        await page.goto(f"{manager.url}/guilds")
        await expect(card).to_have_attribute("data-state", "not_added")


async def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the element has the focus."""
    await target.wait_for()
    for _ in range(100):
        await page.keyboard.press("Tab")
        if await target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{target} cannot be reached by Tab")


class TestOtherWays:
    """The same job by keyboard alone, without scripts, and after a sign-in with another provider."""

    @pytest.mark.timeout(180)
    async def test_bot_is_added_and_removed_by_keyboard_alone(self, visitors: list[Visitor]) -> None:
        manager, _ = visitors
        page = manager.page

        async def press(target: Locator) -> None:
            await tab_to(page, target)
            await page.keyboard.press("Enter")

        allow = page.get_by_role("button", name="Allow")
        await page.goto(f"{manager.url}/login?next=/guilds")
        await press(page.get_by_role("link", name="Discord"))
        await press(page.get_by_role("link", name="김민지"))
        await press(allow)
        card = page.locator("li.guild").filter(has_text=GUILD)
        await press(card.get_by_role("button"))
        await press(allow)
        await expect(page.locator("#state")).to_have_attribute("data-state", "active")
        await press(page.locator("a[data-place=remove]"))
        await tab_to(page, page.locator("#f-name"))
        await page.keyboard.type(GUILD)
        await press(page.locator(".danger button"))
        await expect(page).to_have_url(f"{manager.url}/guilds")
        await expect(card).to_have_attribute("data-state", "not_added")

    @pytest.mark.timeout(180)
    async def test_bot_is_added_and_removed_without_scripts(self, chromium: Browser, stack: Stack) -> None:
        context = await chromium.new_context(locale="en-GB", java_script_enabled=False)
        page = await context.new_page()
        page.set_default_timeout(30_000)
        await Visitor(page, stack.url).sign_in_with("Discord", "김민지", next_path="/guilds")
        card = page.locator("li.guild").filter(has_text=GUILD)
        await card.get_by_role("button").click()
        await page.get_by_role("button", name="Allow").click()
        # A pending page refreshes itself.
        await expect(page.locator("#state")).to_have_attribute("data-state", "active")
        await page.locator("a[data-place=remove]").click()
        await page.locator("#f-name").fill(GUILD)
        await page.locator(".danger button").click()
        await expect(page).to_have_url(f"{stack.url}/guilds")
        await expect(card).to_have_attribute("data-state", "not_added")
        await context.close()

    @pytest.mark.timeout(180)
    async def test_user_of_google_links_discord_and_adds_the_bot(self, visitors: list[Visitor]) -> None:
        _, visitor = visitors
        page, guild = visitor.page, "Emma's Garden"
        await visitor.sign_in_with("Google", "박서준", next_path="/guilds")
        await page.locator("form[action='/account/link/discord'] button").click()
        await page.get_by_text("Emma Clarke", exact=True).click()
        await page.get_by_role("button", name="Allow").click()
        cards = page.locator("li.guild")
        await expect(cards).to_have_count(1)
        await expect(cards).to_contain_text(guild)
        await cards.get_by_role("button").click()
        await page.get_by_role("button", name="Allow").click()
        await expect(page.locator("#state")).to_have_attribute("data-state", "active")
        await expect(page.locator("#channels")).to_contain_text("general")
        await page.locator("a[data-place=remove]").click()
        await page.locator("#f-name").fill(guild)
        await page.locator(".danger button").click()
        await expect(page).to_have_url(f"{visitor.url}/guilds")
        await expect(cards).to_have_attribute("data-state", "not_added")


class TestSignIn:
    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("provider", ["Google", "Kakao", "Discord"])
    async def test_sign_in_keeps_next_and_fills_the_profile(self, visitors: list[Visitor], provider: str) -> None:
        visitor, _ = visitors
        page = visitor.page
        await visitor.sign_in_with(provider, "James Walker", next_path="/account")
        await expect(page).to_have_url(f"{visitor.url}/account")
        facts = page.locator("dl.pairs")
        await expect(facts).to_contain_text("james.walker@example.com")
        identities = page.locator("section", has=page.locator("#identities-title"))
        await expect(identities).to_contain_text(
            "James Walker" if provider != "Kakao" else re.compile("James Walker|Jim")
        )
        if provider != "Discord":
            await expect(facts).to_contain_text("1988-11-21")
            await expect(facts).to_contain_text("+447700900123")


class TestRestoredTabs:
    @pytest.mark.timeout(120)
    async def test_four_tabs_that_are_restored_together_stay_signed_in(self, visitors: list[Visitor]) -> None:
        """The browser was closed for longer than the access token works, and opens its tabs again."""
        visitor, _ = visitors
        await visitor.sign_in_with("Google", "James Walker")
        context = visitor.page.context
        for attempt in range(3):
            await context.clear_cookies(name=re.compile("access"))
            tabs = [await context.new_page() for _ in range(4)]
            paths = ("/account", "/guilds", "/notifications", "/account")
            await asyncio.gather(
                *(tab.goto(f"{visitor.url}{path}", timeout=60_000) for tab, path in zip(tabs, paths, strict=True))
            )
            shown = [tab.url.removeprefix(visitor.url) for tab in tabs]
            assert shown == list(paths), attempt
            for tab in tabs:
                await expect(tab.locator('nav a[href="/guilds"]')).to_be_visible()
                await tab.close()
