"""A real Chromium, where this machine has one."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from services.dashboard.tests.browser.scenes import Site, running
from services.dashboard.tests.fakes import MINA
from services.dashboard.tests.stage import Stage
from tests.infrastructure.needs import cannot_run

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PROGRAM = next((path for name in NAMES if (path := shutil.which(name))), None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if PROGRAM is None:
        cannot_run(item, ("Chromium", "install chromium"))


@dataclass
class Tab:
    """A page of the browser on a running dashboard, and what it complained of."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.site.url + path)

    async def violations(self) -> list[str]:
        """Return the violations of the content security policy."""
        found: list[str] = await self.page.evaluate("window.violations")
        return found

    async def inaccessible(self) -> list[str]:
        """Return the findings of axe, as `rule: where`, once no colour is in the middle of a transition."""
        await self.page.evaluate(
            "Promise.allSettled("
            "document.getAnimations().filter(one => one instanceof CSSTransition).map(one => one.finished))"
        )
        results = await Axe().run(self.page, options={"runOnly": RULES, "resultTypes": ["violations"]})
        return [
            f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for one in results.response["violations"]
            for node in one["nodes"]
        ]

    async def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        wider: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, wider)


Opener = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Browser]:
    expect.set_options(timeout=30_000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser) -> AsyncIterator[Opener]:
    """Serve a stage and open a tab on it, signed in as Mina or signed out."""
    async with AsyncExitStack() as stack:

        async def open_tab(
            stage: Stage,
            *,
            signed_in: bool = True,
            scripts: bool = True,
            size: tuple[int, int] = (1280, 860),
            scheme: str = "light",
            language: str = "ko-KR",
        ) -> Tab:
            site = await stack.enter_async_context(running(stage))
            context = await chromium.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                locale=language,
                java_script_enabled=scripts,
            )
            stack.push_async_callback(context.close)
            context.set_default_timeout(30_000)
            if signed_in:
                await context.add_cookies([{"name": site.access_cookie, "value": MINA, "url": site.url}])
            await context.add_init_script(LISTEN)
            await context.route(
                "https://discord.com/**",
                lambda route: route.fulfill(body="<title>Discord</title>", content_type="text/html"),
            )
            page = await context.new_page()
            tab = Tab(page, site)
            page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            page.on("console", lambda message: tab.complaints.append(message.text) if message.type == "error" else None)
            page.on("dialog", lambda dialog: tab.complaints.append(f"dialog: {dialog.message}"))
            return tab

        yield open_tab
        await asyncio.sleep(0)
